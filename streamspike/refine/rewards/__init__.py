"""Rewards of the night shift: what a hypothesis or a caption is worth, as pure functions of plain text and numbers."""
