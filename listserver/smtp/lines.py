"""Cut the stream of octets into command lines, and keep the rest for whoever reads next (RFC 2920: they come in groups)."""

from __future__ import annotations

_GIVE_UP = 32
"""A line that is so many times too long is no mistake of a mail program."""


class LineReader:
    """Octets received and not yet used. `octets` may be taken from by others, as the content of a message is.

    Limits: of a line longer than `limit` nothing is kept.
    """

    __slots__ = ("_skipped", "limit", "octets")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.octets = bytearray()
        self._skipped = 0

    def take(self) -> bytes | None:
        """The next line with its line end, b'' for one that is too long; None when there is no whole one yet."""
        octets = self.octets
        end = octets.find(b"\n") + 1
        if not end:
            if len(octets) > self.limit:
                self._skipped += len(octets)
                octets.clear()
            return None
        line = bytes(octets[:end])
        del octets[:end]
        if self._skipped or end > self.limit:
            self._skipped = 0
            return b""
        return line

    @property
    def is_endless(self) -> bool:
        """Whether the peer goes on and on without ending its line."""
        return self._skipped > _GIVE_UP * self.limit
