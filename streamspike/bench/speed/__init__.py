"""How fast scoring is: published, naive and our own, on one camera and on many."""
