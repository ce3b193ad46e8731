"""Floor 3: whether a sender is who they say."""
