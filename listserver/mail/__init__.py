"""Floor 1: what the standards say. Pure values and bytes; no input or output."""
