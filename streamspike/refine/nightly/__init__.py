"""The whole night in one call: export, check, train, judge, promote or refuse, and tell in the morning."""
