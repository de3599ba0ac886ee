"""Frames under a budget: which pictures to keep of a finished video, or of a camera that never ends."""
