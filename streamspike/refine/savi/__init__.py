"""VideoSAVi: the model asks, answers, criticises and corrects itself, and learns to prefer what it corrected."""
