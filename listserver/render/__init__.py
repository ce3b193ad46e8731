"""Floor 3: how we word it."""
