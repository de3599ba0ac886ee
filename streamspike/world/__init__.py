"""Simulated cameras with known truth: what happens, in words, and how probable it was."""
