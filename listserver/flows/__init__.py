"""Floor 4: what happens; one verb a module, one transaction a call."""
