"""A simulated hour on four cameras, through the whole pipeline and a real broker."""
