"""The Video-LLM."""
