"""Ways of scoring, compared on what the model was asked once."""
