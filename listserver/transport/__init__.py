"""Floor 5: the doors out."""
