"""Mail in files, as a stream: mbox, also compressed, Maildir, single messages, and folders of these, however nested.

What a file holds is told by its beginning, not by its name. Memory: one message.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from listserver.errors import NotFound
from listserver.mail.mbox import MAX_MESSAGE, Readable, read_mbox

_FIELD = re.compile(rb"\s{0,100}[A-Za-z][!-9;-~]{0,75}[ \t]*:")
_MESSAGE_NAMES = (".eml", ".msg", ".mail", ".txt", ".emlx")
_BEGINNING = 1024  # octets by which a file is told
_MBOX_NAMES = (".mbox", ".mbx", ".mboxrd")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMail:
    """One message of a file; `problem` says why it cannot be used as it is."""

    where: str
    raw: bytes
    separator: bytes = b""
    problem: str = ""


@dataclass
class MailFiles:
    """The files of some paths, and how far they were read."""

    paths: Sequence[Path]
    size: int = 0
    read: int = 0

    def __post_init__(self) -> None:
        """Raises: NotFound for a path that is not there."""
        for path in self.paths:
            if not path.exists():
                raise NotFound(f"there is no file or folder {path}")
        self._files = [file for path in self.paths for file in _files_of(path)]
        self.size = sum(file.stat().st_size for file, _named in self._files)

    def __iter__(self) -> Iterator[FoundMail]:
        before = 0
        for file, named in self._files:
            size = file.stat().st_size
            with file.open("rb") as handle:
                for found in _read(file, handle, named=named):
                    self.read = before + min(handle.tell(), size)
                    yield found
            before += size
            self.read = before


def _files_of(path: Path) -> list[tuple[Path, bool]]:
    """Files in the order of their names (in a Maildir that is the order of arrival), each with whether it was named."""
    if path.is_file():
        return [(path, True)]
    found: list[tuple[Path, bool]] = []
    folders = [path]
    while folders:
        folder = folders.pop()
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
        names = {entry.name for entry in entries if entry.is_dir()}
        if {"cur", "new"} <= names:
            inside = [*(folder / "cur").iterdir(), *(folder / "new").iterdir()]
            found += [(file, True) for file in sorted(inside, key=lambda file: file.name) if _is_plain(file)]
            entries = [entry for entry in entries if entry.name not in ("cur", "new", "tmp") and entry.is_dir()]
        found += [(entry, False) for entry in entries if _is_plain(entry)]
        folders += [entry for entry in reversed(entries) if entry.is_dir() and not entry.is_symlink()]
    return found


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def _read(file: Path, handle: BinaryIO, *, named: bool) -> Iterator[FoundMail]:
    """The messages of one file. A packed one that is broken gives those that are whole, and then a problem."""
    is_packed = handle.read(2) == b"\x1f\x8b"
    handle.seek(0)
    if not is_packed:
        beginning = handle.read(_BEGINNING)
        handle.seek(0)
        yield from _read_stream(file, beginning, handle, named=named)
        return
    beginning = _Unpacking(handle).read(_BEGINNING)
    handle.seek(0)
    stream = _Unpacking(handle)
    before: FoundMail | None = None
    for found in _read_stream(file, beginning, stream, named=named):
        if before is not None:
            yield before
        before = found
    if stream.problem:
        yield FoundMail(where=str(file), raw=before.raw if before is not None else b"", problem=stream.problem)
    elif before is not None:
        yield before


def _read_stream(file: Path, beginning: bytes, stream: Readable, *, named: bool) -> Iterator[FoundMail]:
    name = file.name.lower().removesuffix(".gz")
    if beginning.lstrip(b"\r\n").startswith(b"From ") or (name.endswith(_MBOX_NAMES) and not _FIELD.match(beginning)):
        for number, message in enumerate(read_mbox(stream), start=1):
            yield FoundMail(
                where=f"{file}, message {number}",
                raw=message.raw,
                separator=message.separator,
                problem="it is too long" if message.is_cut else "",
            )
    elif named or name.endswith(_MESSAGE_NAMES) or _FIELD.match(beginning):
        raw = stream.read(MAX_MESSAGE + 1)
        yield FoundMail(where=str(file), raw=raw[:MAX_MESSAGE], problem="it is too long" if len(raw) > MAX_MESSAGE else "")


class _Unpacking:
    """A gzip file as a stream (RFC 1952) that gives what there is of a broken one; `problem` says what is wrong with it."""

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self._decoder = zlib.decompressobj(wbits=31)
        self._packed = b""
        self.problem = ""

    def read(self, size: int, /) -> bytes:
        """At most `size` octets; fewer only at the end."""
        pieces: list[bytes] = []
        while size > 0 and not self.problem:
            packed = self._packed or self._handle.read(65_536)
            if not packed:
                if not self._decoder.eof:
                    self.problem = "the packed file breaks off; what precedes this was read"
                break
            try:
                if self._decoder.eof:  # a file may be several, one behind the other
                    packed = packed.lstrip(b"\0")
                    self._decoder = zlib.decompressobj(wbits=31) if packed else self._decoder
                piece = self._decoder.decompress(packed, size) if packed else b""
            except zlib.error as error:
                self.problem = f"the packed file is broken: {error}; what precedes this was read"
                break
            self._packed = self._decoder.unconsumed_tail or self._decoder.unused_data if packed else b""
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)
