"""Floor 2: what a mailing list decides. Pure: no database, clock, randomness or network."""
