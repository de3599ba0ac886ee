"""Whether boxes and trajectories drawn on the frames help the model."""
