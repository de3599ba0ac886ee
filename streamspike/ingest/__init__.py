"""Camera bytes to segments."""
