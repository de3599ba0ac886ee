"""Pages that people read: HTML, charts and numbers as text, from plain values."""
