"""Training of the built-in model from nothing, on simulated clips."""
