"""Training: the built-in model, and the adapters of the night shift."""
