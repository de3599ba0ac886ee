"""What a budget of frames is worth: questions about films of which only some frames were kept."""
