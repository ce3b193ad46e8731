"""Mail that we write: ASCII on the wire, lines that fit, and read back as it was meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail.bodytext import read_body
from listserver.mail.compose import compose
from listserver.mail.headers import decode_text, read_header

FIELDS = [("From", "Tool Share <toolshare@lists.example.org>"), ("Subject", "Schlüssel für den Schuppen")]
PIECES = (
    "word", "From ", ">", " ", "\n", "ü", "工具", ".", "..", "=", "=3D", "-- ", "x" * 1_100, "\t", "https://example.org/?a=b",
)  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


def test_the_fields_come_in_order() -> None:
    """Ours, then those of MIME; one blank line; CRLF throughout."""
    raw = compose(FIELDS, "Hello.")

    assert [field.name for field in read_header(raw).fields] == [
        "from", "subject", "mime-version", "content-type", "content-transfer-encoding",
    ]  # fmt: skip
    assert decode_text(read_header(raw).first("subject") or b"") == "Schlüssel für den Schuppen"
    assert raw.endswith(b"\r\n\r\nHello.\r\n")
    assert raw.count(b"\n") == raw.count(b"\r\n")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Plain words.", b"7bit"),
        ("Schlüssel für den Schuppen", b"quoted-printable"),
        ("工具共享", b"base64"),
        ("x" * 999, b"quoted-printable"),
        ("From here on it is dry.", b"quoted-printable"),
    ],
)
def test_the_encoding_follows_the_text(text: str, encoding: bytes) -> None:
    """As it is where it can be; else the one that is shorter. A line that begins with From must not be changed by an mbox."""
    raw = compose(FIELDS, text)

    assert read_header(raw).first("content-transfer-encoding") == b" " + encoding
    assert b"\r\nFrom " not in raw.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("bad", ["a\r\nBcc: tom@example.net", "a\nb", "a\rb", "a\x00b"])
def test_no_field_brings_another(bad: str) -> None:
    """Neither subject nor name nor value injects a header."""
    with pytest.raises(ValueError, match="line end or NUL"):
        compose([("Subject", bad)], "x")
    with pytest.raises(ValueError, match="field name"):
        compose([(bad, "x")], "x")


def test_the_same_message_is_the_same_bytes() -> None:
    """Its boundary follows from its content: a copy that is built again is the copy."""
    assert compose(FIELDS, "a", "<p>a</p>") == compose(FIELDS, "a", "<p>a</p>")
    assert compose(FIELDS, "a", "<p>a</p>") != compose(FIELDS, "b", "<p>a</p>")


@given(texts, st.booleans())
def test_every_line_fits_and_is_ascii(text: str, flowed: bool) -> None:
    """No octet above 126, no line over 998 octets (RFC 5322 §2.1.1), no lone CR or LF."""
    raw = compose(FIELDS, text, f"<p>{text}</p>", flowed=flowed)

    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert raw.count(b"\r") == raw.count(b"\n") == raw.count(b"\r\n")


@given(texts)
def test_the_text_is_read_back(text: str) -> None:
    """Exactly, but for empty lines at its edges."""
    raw = compose(FIELDS, text)

    read = read_body(raw, read_header(raw)).text

    assert read == (text.strip("\n") + "\n" if text.strip() else "")


@given(texts)
def test_the_plain_form_is_read_where_there_is_html(text: str) -> None:
    """The alternative holds both, and the text is that of the first."""
    raw = compose(FIELDS, text, "<p>HTML</p>")

    body = read_body(raw, read_header(raw))

    assert body.html == "<p>HTML</p>\n"
    assert body.text == (text.strip("\n") + "\n" if text.strip() else "HTML\n")
    assert body.defects == ()
