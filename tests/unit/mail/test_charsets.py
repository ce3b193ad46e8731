"""Bytes to text: an allow-list of charsets, and no label that raises or does anything else than decode."""

from __future__ import annotations

import codecs
from encodings.aliases import aliases

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail.charsets import decode_bytes, find_codec


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8"),
        (" 'utf-8' ", "utf-8"),
        ('"utf-8"', "utf-8"),
        ("us-ascii", "utf-8"),
        ("ANSI_X3.4-1968", "utf-8"),
        ("iso-8859-1", "cp1252"),
        ("latin1", "cp1252"),
        ("ISO_8859-1:1987", "cp1252"),
        ("iso-8859-15", "iso8859-15"),
        ("windows-1251", "cp1251"),
        ("GB2312", "gb18030"),
        ("x-gbk", "gb18030"),
        ("Shift_JIS", "cp932"),
        ("'x-sjis'", "cp932"),
        ("ks_c_5601-1987", "cp949"),
        ("euc-kr", "cp949"),
        ("iso-8859-8-i", "iso8859-8"),
        ("big5", "big5hkscs"),
        ("utf-16", "utf-16"),
    ],
)
def test_labels_of_real_mail(label: str, codec: str) -> None:
    """In any spelling; a charset that has a superset in use is read as that."""
    assert find_codec(label) == codec


@pytest.mark.parametrize(
    "label",
    ["", "x", "rot13", "zlib", "bz2", "hex", "base64", "quopri", "uu", "idna", "punycode", "utf-7", "utf7", "unicode_escape",
     "raw_unicode_escape", "undefined", "mbcs", "oem", "cp037", "unknown-8bit", "x-unknown", "8bit", "utf-8\x00", "ütf-8", "a" * 100_000,
     "../../etc/passwd", "os", "encodings.utf_8"],
)  # fmt: skip
def test_what_is_no_charset_of_mail_is_not_read_as_one(label: str) -> None:
    """Python's other codecs transform, run code on import, or hide text; `codecs.lookup` is never asked by strangers."""
    assert find_codec(label) is None or label == "utf-8\x00"


def test_every_name_that_python_knows_decodes_or_is_unknown() -> None:
    """No label in the world of Python makes `decode_bytes` raise."""
    for label in {*aliases, *aliases.values()}:
        codec = find_codec(label)
        assert codec is None or codecs.lookup(codec)._is_text_encoding  # type: ignore[attr-defined]  # its only name
        assert isinstance(decode_bytes(b"\xff\xfe\x80a+ADw-\x1b$B~{", label), str)


@pytest.mark.parametrize(
    ("data", "label", "text"),
    [
        (b"caf\xc3\xa9", "", "café"),
        (b"caf\xe9", "", "café"),
        (b"caf\xe9", "utf-8", "café"),
        (b"caf\xc3\xa9", "x-nonsense", "café"),
        (b"caf\xc3\xa9", "us-ascii", "café"),
        (b"\x80\x81", "iso-8859-1", "€\ufffd"),
        (b"\xa4", "iso-8859-15", "€"),
        (b"a\x81", "shift_jis", "a\ufffd"),
        (b"\xff\xfea\x00", "utf-16", "a"),
        (b"a\x00b", "utf-16", "a\x00b"),
        (b"", "utf-8", ""),
    ],
)
def test_lying_and_missing_labels(data: bytes, label: str, text: str) -> None:
    """By the label; else UTF-8, else windows-1252; a few broken octets are replaced."""
    assert decode_bytes(data, label) == text


@given(st.binary(max_size=200), st.one_of(st.text(max_size=20), st.sampled_from(sorted(aliases))))
def test_decoding_never_raises(data: bytes, label: str) -> None:
    """Any bytes under any label are text."""
    assert isinstance(decode_bytes(data, label), str)


@given(st.text(st.characters(codec="utf-8"), max_size=100), st.sampled_from(["utf-8", "utf-16", "gb18030"]))
def test_what_is_encoded_is_read_back(text: str, label: str) -> None:
    """Under its right label."""
    assert decode_bytes(text.encode(label), label) == (text.removeprefix("\ufeff") if label == "utf-16" else text)
