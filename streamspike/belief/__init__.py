"""What one camera expects: prompts, surprise, summary, hypotheses, events. No torch, no I/O."""
