"""The text of a message and what else is in it; the odd mail is in `tests/corpus`, here are the rules between parts."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail.bodytext import MAX_TEXT, BodyText, attached_parts, read_body
from listserver.mail.headers import read_header

Leaf = tuple[bytes, bytes]  # its fields, its content
PLAIN: Leaf = (b"Content-Type: text/plain", b"plain")
HTML: Leaf = (b"Content-Type: text/html", b"<p>rich</p>")
PICTURE: Leaf = (b"Content-Type: image/png; name=wall.png", b"x")
NAMED: Leaf = (b"Content-Type: text/plain; name=a.txt", b"named")
ATTACHED: Leaf = (b"Content-Type: text/plain\r\nContent-Disposition: attachment", b"attached")


def body_of(raw: bytes) -> BodyText:
    """The body of a message."""
    return read_body(raw, read_header(raw))


def multipart(kind: bytes, *parts: bytes | Leaf) -> bytes:
    """A multipart of these; its boundary is made of what is in it."""
    written = [part if isinstance(part, bytes) else part[0] + b"\r\n\r\n" + part[1] + b"\r\n" for part in parts]
    boundary = b"b%010d" % zlib.crc32(b"".join(written))
    inner = b"".join(b"--" + boundary + b"\r\n" + part for part in written)
    return b"Content-Type: multipart/" + kind + b"; boundary=" + boundary + b"\r\n\r\n" + inner + b"--" + boundary + b"--\r\n"


@pytest.mark.parametrize(
    ("raw", "text", "names"),
    [
        (multipart(b"alternative", PLAIN, HTML), "plain\n", []),
        (multipart(b"alternative", HTML, PLAIN), "plain\n", []),
        (multipart(b"alternative", HTML), "rich\n", []),
        (multipart(b"alternative"), "", []),
        (multipart(b"mixed", PLAIN, HTML), "plain\nrich\n", []),
        (multipart(b"mixed", multipart(b"alternative", PLAIN, HTML), PICTURE), "plain\n", ["wall.png"]),
        (multipart(b"alternative", PLAIN, multipart(b"related", HTML, PICTURE)), "plain\n", ["wall.png"]),
        (multipart(b"related", multipart(b"alternative", PLAIN, HTML), PICTURE), "plain\n", ["wall.png"]),
        (multipart(b"mixed", NAMED), "named\n", []),
        (multipart(b"mixed", PLAIN, NAMED), "plain\n", ["a.txt"]),
        (multipart(b"mixed", NAMED, NAMED), "named\n", ["a.txt"]),
        (multipart(b"mixed", ATTACHED, PLAIN), "plain\n", ["unnamed"]),
        (multipart(b"mixed", ATTACHED), "", ["unnamed"]),
        (ATTACHED[0] + b"\r\n\r\nattached\r\n", "attached\n", []),
        (PICTURE[0] + b"\r\n\r\nx", "", ["wall.png"]),
        (b"\r\nno header\r\n", "no header\n", []),
        (b"", "", []),
    ],
)
def test_which_parts_are_read(raw: bytes, text: str, names: list[str]) -> None:
    """Of alternatives the plain form once, of the rest everything that is text and no file; the others are named."""
    body = body_of(raw)

    assert body.text == text
    assert [each.name for each in body.attachments] == names
    assert len(attached_parts(raw, read_header(raw))) == len(names)


def test_the_text_is_cut_at_a_million() -> None:
    """Of all parts together; it is said, and the rest is not even decoded."""
    raw = multipart(b"mixed", *[(PLAIN[0], b"word " * 60_000) for _part in range(5)])

    body = body_of(raw)

    assert len(body.text) == MAX_TEXT
    assert body.defects == ("the text is cut",)


leaves = st.sampled_from([PLAIN, HTML, PICTURE, NAMED, ATTACHED])
trees = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda kind, parts: multipart(kind, *parts),
        st.sampled_from([b"mixed", b"alternative", b"related", b"signed", b"digest", b"x-odd"]),
        st.lists(inner, min_size=1, max_size=4),
    ),
    max_leaves=12,
)


@given(trees)
def test_no_tree_loses_a_file(tree: bytes | Leaf) -> None:
    """Each picture is named, wherever it stands; the text obeys its invariant."""
    raw = tree if isinstance(tree, bytes) else tree[0] + b"\r\n\r\n" + tree[1]

    body = body_of(raw)

    assert sum(each.name == "wall.png" for each in body.attachments) == raw.count(b"name=wall.png")
    assert not body.text or (body.text.endswith("\n") and not body.text.endswith("\n\n"))
    assert body.defects == ()


@given(st.lists(st.sampled_from([PLAIN, NAMED]), min_size=1, max_size=6), st.sampled_from([b"mixed", b"alternative"]))
def test_some_text_is_always_read(parts: list[Leaf], kind: bytes) -> None:
    """A message of texts alone is never empty."""
    assert body_of(multipart(kind, *parts)).text
