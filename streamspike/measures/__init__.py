"""Measures and their intervals, pure functions over numbers."""
