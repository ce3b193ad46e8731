"""Floor 3: what we remember, in SQLite or PostgreSQL."""
