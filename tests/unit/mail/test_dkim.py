"""DKIM as text and bytes: tag lists, canonical forms, covered fields; held against dkimpy where that is right."""

from __future__ import annotations

import time

import pytest
from dkim.canonicalization import Relaxed, Simple
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail.dkim import (
    canonical_body,
    covered_fields,
    header_input,
    read_tags,
    relaxed_field,
    simple_field,
    without_value,
)
from listserver.mail.headers import read_header

LINES = st.lists(st.sampled_from([b"a", b" ", b"\t", b"\r\n", b"\r\n\r\n", b"b c", b"."]), max_size=20).map(b"".join)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v=1; a=rsa-sha256; b=", {"v": "1", "a": "rsa-sha256", "b": ""}),
        (" v = 1 ;d= example.net ; ", {"v": "1", "d": "example.net"}),
        ("h=From : To;b=ab cd", {"h": "From : To", "b": "ab cd"}),
        ("p=a=b", {"p": "a=b"}),
        ("v=1; v=2", None),
        ("v=1; nonsense", None),
        ("v=1; =x", None),
        ("v=1; a b=c", None),
        ("", None),
        (";;;", None),
    ],
)
def test_tag_lists(text: str, expected: dict[str, str] | None) -> None:
    """Names and values without the white space around them; what is no list, or names a tag twice, is none."""
    assert read_tags(text) == expected


@given(st.text(max_size=200))
def test_tag_lists_never_raise(text: str) -> None:
    """Whatever stands there."""
    read_tags(text)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"SubJect: a\r\n", b"subject:a\r\n"),
        (b"Subject \t:  a \t b\r\n\t c  \r\n", b"subject:a b c\r\n"),
        (b"Subject:\r\n", b"subject:\r\n"),
        (b"Subject: a\n b\n", b"subject:a b\r\n"),
        (b"Subject: a", b"subject:a\r\n"),
    ],
)
def test_relaxed_fields(raw: bytes, expected: bytes) -> None:
    """RFC 6376 §3.4.2, step by step."""
    assert relaxed_field(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"SubJect:  a \r\n\tb\r\n", b"SubJect:  a \r\n\tb\r\n"),
        (b"Subject: a\n b\n", b"Subject: a\r\n b\r\n"),
        (b"Subject: a", b"Subject: a\r\n"),
    ],
)
def test_simple_fields(raw: bytes, expected: bytes) -> None:
    """As they are, with CRLF."""
    assert simple_field(raw) == expected


@pytest.mark.parametrize(
    ("body", "relaxed", "simple"),
    [
        (b"", b"", b"\r\n"),
        (b"\r\n\r\n", b"", b"\r\n"),
        (b" \t\r\n", b"", b" \t\r\n"),
        (b"a \t b \r\n\r\n", b"a b\r\n", b"a \t b \r\n"),
        (b"a\r\n \r\n\r\n", b"a\r\n", b"a\r\n \r\n"),
        (b"a", b"a\r\n", b"a\r\n"),
        (b"a  ", b"a\r\n", b"a  \r\n"),
        (b"a\nb\n\n", b"a\r\nb\r\n", b"a\r\nb\r\n"),
        (b" a", b" a\r\n", b" a\r\n"),
    ],
)
def test_canonical_bodies(body: bytes, relaxed: bytes, simple: bytes) -> None:
    """RFC 6376 §3.4.3 and §3.4.4, an empty body too."""
    assert (canonical_body(body, relaxed=True), canonical_body(body, relaxed=False)) == (relaxed, simple)


@given(LINES)
def test_canonical_bodies_as_dkimpy_has_them(body: bytes) -> None:
    """Both forms of any body that ends with a line end, as every body does that came by SMTP."""
    body += b"\r\n"

    assert canonical_body(body, relaxed=True) == Relaxed.canonicalize_body(body)
    assert canonical_body(body, relaxed=False) == Simple.canonicalize_body(body)


@pytest.mark.parametrize("piece", [b" ", b"\t", b"\r\n", b"  a", b" \r\n", b"\r", b"\n", b"a \t"])
def test_no_body_takes_long(piece: bytes) -> None:
    """Two million octets of whatever: linear, where dkimpy takes minutes for one line of spaces."""
    body = piece * (2_000_000 // len(piece))
    begun = time.process_time()

    canonical_body(body, relaxed=True)
    canonical_body(body, relaxed=False)

    assert time.process_time() - begun < 2


def test_fields_are_covered_from_the_bottom_up() -> None:
    """RFC 6376 §5.4.2: each time a name is listed it stands for the next field upwards; then for absence."""
    header = read_header(b"A: 1\r\nB: 2\r\nA: 3\r\nDKIM-Signature: x\r\n\r\n")

    assert covered_fields(header, ["a", "c", "a", "a", "b"]) == [b"A: 3\r\n", b"A: 1\r\n", b"B: 2\r\n"]


def test_a_signature_does_not_cover_itself() -> None:
    """RFC 6376 §3.5: other DKIM-Signature fields it may name, its own it cannot mean."""
    header = read_header(b"DKIM-Signature: one\r\nDKIM-Signature: two\r\n\r\n")
    own = header.fields[1].raw

    assert covered_fields(header, ["dkim-signature"], own) == [b"DKIM-Signature: one\r\n"]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (b"DKIM-Signature: v=1; b=ab cd=; bh=xyz=\r\n", b"DKIM-Signature: v=1; b=; bh=xyz="),
        (b"DKIM-Signature: bh=b; s=b;\r\n\tb = ab\r\n\t cd==\r\n", b"DKIM-Signature: bh=b; s=b;\r\n\tb ="),
        (b"DKIM-Signature: b=ab;\r\n", b"DKIM-Signature: b=;"),
        (b"DKIM-Signature: b\r\n", b"DKIM-Signature: b"),
    ],
)
def test_the_value_of_the_signature_is_taken_out(field: bytes, expected: bytes) -> None:
    """Of `b=` alone, with the white space around it; `bh=` and values that hold a b stay."""
    assert without_value(field) == expected


def test_what_is_signed_ends_without_a_line_end() -> None:
    """The signature's own field comes last and has none (RFC 6376 §3.7)."""
    signed = header_input([b"From: a@b.example\r\n"], b"DKIM-Signature: v=1; b=xyz\r\n", relaxed=True)

    assert signed == b"from:a@b.example\r\ndkim-signature:v=1; b="
