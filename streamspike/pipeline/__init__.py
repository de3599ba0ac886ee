"""The asyncio task tree: cameras, channels, inference."""
