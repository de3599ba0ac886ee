"""What is a night worth? Its methods on the same clips for the same time, and measured on the same other ones."""
