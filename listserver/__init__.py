"""listserver: an email mailing-list discussion service."""
