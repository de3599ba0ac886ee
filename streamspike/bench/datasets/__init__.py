"""Loaders of labelled footage: one module per annotation format, all of them tolerant of what its files hold."""
