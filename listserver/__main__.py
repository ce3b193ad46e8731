"""`python -m listserver`."""

from listserver.cli.main import run

run()
