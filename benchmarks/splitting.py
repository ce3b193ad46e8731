"""How well and how fast posts are taken apart: `python benchmarks/splitting.py ARCHIVE.mbox.gz…`.

Three measures an archive. *Marked*: of the lines that begin with `>`, how many are found as quotes. *Unmarked*: of posts
that end in one quote below an attribution, the marks are taken away below it, and the quoted words still found are counted.
*Time*: CPU milliseconds a post, and of a fixed loop of Python timed beside it, because machines differ.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from listserver.mail.bodytext import read_pieces
from listserver.mail.headers import read_header
from listserver.mail.mbox import read_mbox
from listserver.mail.quoting import SpanKind, SplitText, split_body, split_text

_WORDS = re.compile(r"\w+")
_MARKED = re.compile(r">\s?[>\w](?<!>F)")
_MARKS = re.compile(r"^(?:>[ \t]?)+", re.M)
_BATCH = 50


def read_archive(path: Path) -> Iterator[bytes]:
    """The messages of an mbox file, packed or not."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as handle:
        yield from (message.raw for message in read_mbox(handle))


def count_marked(split: SplitText) -> tuple[int, int]:
    """The lines that begin with `>`, and how many of them are quotes."""
    lines = found = position = number = 0
    for line in split.text.split("\n"):
        if _MARKED.match(line) and not line.startswith(">From "):
            while split.spans[number].end <= position:
                number += 1
            span = split.spans[number]
            lines += 1
            found += span.level > 0 or span.attribution is not None
        position += len(line) + 1
    return lines, found


def count_unmarked(split: SplitText) -> tuple[int, int]:
    """The words of a quote that ends a post, and how many are found without its marks; (0, 0) for other posts."""
    first = next((n for n, span in enumerate(split.spans) if span.kind is SpanKind.attribution and span.level == 0), 0)
    below = split.spans[first + 1 :]
    if not first or split.spans[0].kind is not SpanKind.own or not any(span.kind is SpanKind.quote for span in below):
        return 0, 0
    if any(span.level == 0 and span.kind is not SpanKind.footer for span in below):
        return 0, 0
    cut = split.spans[first].end
    bare = split_text(split.text[:cut] + _MARKS.sub("", split.text[cut:]))
    words = len(_WORDS.findall(bare.text[cut:]))
    own = [bare.text[max(span.start, cut) : span.end] for span in bare.spans if span.kind is SpanKind.own and span.end > cut]
    return words, words - sum(len(_WORDS.findall(each)) for each in own)


def yardstick() -> float:
    """CPU seconds of a loop that never changes."""
    begin = time.process_time()
    sum(number * number for number in range(300_000))
    return time.process_time() - begin


def measure(path: Path) -> None:
    """Print the measures of one archive."""
    messages = list(read_archive(path))
    headers = [read_header(raw) for raw in messages]
    texts = ["\n".join(piece.text or "" for piece in read_pieces(*each)) for each in zip(messages, headers, strict=True)]
    marked = found = words = kept = 0
    for text in texts:
        split = split_text(text)
        lines, hits = count_marked(split)
        all_words, words_found = count_unmarked(split)
        marked, found, words, kept = marked + lines, found + hits, words + all_words, kept + words_found
    plain = whole = units = 0.0
    for start in range(0, len(texts), _BATCH):
        unit = yardstick()
        begin = time.process_time()
        for text in texts[start : start + _BATCH]:
            split_text(text)
        middle = time.process_time()
        for raw, header in zip(messages[start : start + _BATCH], headers[start : start + _BATCH], strict=True):
            split_body(raw, header)
        plain, whole, units = plain + middle - begin, whole + time.process_time() - middle, units + (unit + yardstick()) / 2
    posts, batches = len(texts), max(1, -(-len(texts) // _BATCH))
    figures = {
        "archive": path.name,
        "posts": posts,
        "marked_lines": marked,
        "marked_found": round(found / max(1, marked), 5),
        "unmarked_words": words,
        "unmarked_found": round(kept / max(1, words), 5),
        "split_text_ms": round(1000 * plain / posts, 3),
        "split_body_ms": round(1000 * whole / posts, 3),
        "yardstick_ms": round(1000 * units / batches, 3),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        measure(Path(argument))
