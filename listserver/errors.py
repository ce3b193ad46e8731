"""What can go wrong by surprise. Expected ends are values, not exceptions."""

from __future__ import annotations


class ListserverError(Exception):
    """listserver could not do what was asked."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class ConfigError(ListserverError, ValueError):
    """A setting or an argument is not what was expected."""


class NotFound(ListserverError, LookupError):
    """There is no such thing here."""


class Conflict(ListserverError):
    """Something like it is here already."""


class AlreadyEnded(Conflict):
    """This mail has got its one end already, from somebody else."""


class TryAgainLater(ListserverError):
    """It cannot be done just now."""


class TransportError(ListserverError):
    """Mail could not be handed on."""
