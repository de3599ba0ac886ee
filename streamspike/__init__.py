"""streamspike: a streaming real-time surprise monitor."""

__version__ = "0.1.0"
