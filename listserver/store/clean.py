"""Text made fit for both databases: no NUL, no lone surrogates, no more than fits."""

from __future__ import annotations


def clean_text(text: str, limit: int = 4000) -> str:
    """Return `text` without what a database refuses, at most `limit` characters long."""
    text = text[:limit]
    if "\x00" in text:
        text = text.replace("\x00", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-8", "replace").decode("utf-8", "replace")
    return text
