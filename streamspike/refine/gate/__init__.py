"""The gate: an adapter against the one in service on clips it never learned from, and who may serve."""
