"""FLOOR 5: the pages that mails point at, /health and /metrics."""
