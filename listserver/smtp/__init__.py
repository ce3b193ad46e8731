"""Floor 5: the doors in."""
