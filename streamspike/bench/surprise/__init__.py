"""Whether surprise finds what is surprising: scored by every contestant, measured, and told on one page."""
