"""format=flowed, read and written (RFC 3676): soft line breaks, at each level of quotes by itself, and space-stuffing."""

from __future__ import annotations

import re

WIDTH = 72
_QUOTES = re.compile(r"(?:> ?)*>")
_SIGNATURE = "-- "


def unflow(text: str, *, delete_space: bool = False) -> str:
    """Join the lines that were broken softly. `delete_space` is the parameter DelSp (RFC 3676 §4.1). Linear.

    A paragraph ends where the level of quotes changes, and before and after `-- ` (§4.3, §4.5). Quotes written as
    `> > ` by programs that do not know this format are levels, too.
    """
    out: list[str] = []
    pieces: list[str] = []
    level = 0

    def end_paragraph(*, properly: bool) -> None:
        joined = "".join(pieces)
        pieces.clear()
        joined = joined if properly else joined.rstrip(" ")
        out.append(">" * level + (" " if level and joined else "") + joined)

    for line in text.split("\n"):
        quotes = _QUOTES.match(line) if line.startswith(">") else None
        content = line[quotes.end() :] if quotes else line
        level_here = quotes[0].count(">") if quotes else 0
        if content.startswith(" "):
            content = content[1:]
        if pieces and (level_here != level or content == _SIGNATURE):
            end_paragraph(properly=False)
        level = level_here
        soft = content.endswith(" ") and content != _SIGNATURE
        pieces.append(content[:-1] if soft and delete_space else content)
        if not soft:
            end_paragraph(properly=True)
    if pieces:
        end_paragraph(properly=False)
    return "\n".join(out)


def flow(text: str) -> str:
    """Break long lines softly at spaces, and stuff what needs it (RFC 3676 §4.2, §4.4); quotes keep their level.

    Invariant: `unflow(flow(text))` is the text, but for spaces at the ends of lines and between quote marks.
    """
    return "\n".join(_flow_line(line) for line in text.split("\n"))


def _flow_line(line: str) -> str:
    match = _QUOTES.match(line) if line.startswith(">") else None
    prefix = ">" * match[0].count(">") if match else ""
    content = line[match.end() :].removeprefix(" ") if match else line
    content = content if content == _SIGNATURE else content.rstrip(" ")
    width = max(WIDTH - len(prefix), 20)
    out: list[str] = []
    start = 0
    while len(content) - start > width:
        space = content.rfind(" ", start + 1, start + width)
        if space < 0:
            space = content.find(" ", start + width)
        if space < 0 or content[start : space + 1] == _SIGNATURE or content.startswith(">", space + 1):
            break  # what would look like a signature's line or a quote is not made
        out.append(_stuffed(prefix, content[start : space + 1]))
        start = space + 1
    out.append(_stuffed(prefix, content[start:]))
    return "\n".join(out)


def _stuffed(prefix: str, content: str) -> str:
    if prefix:
        return f"{prefix} {content}" if content else prefix
    return f" {content}" if content.startswith((" ", ">", "From ")) else content
