"""The tree of parts, parameters, names and transfer encodings, forgivingly and within limits."""

from __future__ import annotations

import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail.headers import read_header
from listserver.mail.mime import (
    MAX_DEPTH,
    MAX_PARTS,
    Part,
    clean_name,
    decode_transfer,
    decoded_size,
    read_parameters,
    read_parts,
)

TOKENS = (
    b"Content-Type: multipart/mixed; boundary=a\r\n", b"Content-Type: multipart/alternative; boundary=b\r\n", b"Content-Type: text/html\r\n",
    b"\r\n", b"\n", b"--a\r\n", b"--b\r\n", b"--a--\r\n", b"--b--\r\n", b"--ab\r\n", b"--a", b"text", b"\x00",
    b"Content-Transfer-Encoding: base64\r\n",
)  # fmt: skip
PARAMETER_TOKENS = (
    b"a/b", b";", b"=", b'"', b"\\", b" ", b"name", b"*", b"0", b"1", b"utf-8''", b"%41", b"%", b"\xff", b"\r\n ",
)  # fmt: skip


def parts_of(raw: bytes) -> tuple[Part, ...]:
    """The parts of a message."""
    return read_parts(raw, read_header(raw))[0]


@pytest.mark.parametrize(
    ("body", "value", "parameters"),
    [
        (b"text/plain", "text/plain", {}),
        (b" Text/HTML ; Charset = utf-8", "text/html", {"charset": "utf-8"}),
        (b'text/plain; charset="utf-8"; format=flowed', "text/plain", {"charset": "utf-8", "format": "flowed"}),
        (b"text/plain;; ;charset=a;charset=b", "text/plain", {"charset": "a"}),
        (b"text/plain; charset=utf-8 (really)", "text/plain", {"charset": "utf-8"}),
        (b'a/b; name="a;b=c"; x=y', "a/b", {"name": "a;b=c", "x": "y"}),
        (b'a/b; name="a \\"b\\" c"', "a/b", {"name": 'a "b" c'}),
        (b"a/b; name=two words.txt; x=y", "a/b", {"name": "two words.txt", "x": "y"}),
        (b"a/b; x=two words", "a/b", {"x": "two"}),
        (b'a/b; name="open', "a/b", {"name": "open"}),
        (b"a/b; name*=utf-8''%e2%82%ac", "a/b", {"name": "€"}),
        (b"a/b; name*0=a; name*1=b; name*3=d", "a/b", {"name": "ab"}),
        (b"a/b; name*0*=utf-8''%e2%82; name*1*=%ac; name*2=x", "a/b", {"name": "€x"}),
        (b"a/b; name*=%zz", "a/b", {"name": "%zz"}),
        (b"a/b;\r\n\tx=y", "a/b", {"x": "y"}),
        (b"=", "", {}),
        (b"; x=y", "", {"x": "y"}),
        (b"", "", {}),
        (None, "", {}),
    ],
)
def test_parameters(body: bytes | None, value: str, parameters: dict[str, str]) -> None:
    """RFC 2045 §5.1, RFC 2231, and what programs write instead."""
    assert read_parameters(body) == (value, parameters)


@given(st.lists(st.sampled_from(PARAMETER_TOKENS), max_size=30).map(b"".join))
def test_parameters_never_raise(body: bytes) -> None:
    """Any field has a value and parameters, perhaps none."""
    value, parameters = read_parameters(body)

    assert value == value.lower()
    assert all(isinstance(each, str) for each in parameters.values())


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_an_extended_name_is_read_back(name: str) -> None:
    """Whatever its script (RFC 2231 §4)."""
    written = "".join(f"%{octet:02X}" for octet in name.encode())

    assert read_parameters(b"a/b; filename*=utf-8''" + written.encode())[1] == {"filename": name}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("plan.pdf", "plan.pdf"),
        ("C:\\Users\\gwen\\plan.pdf", "plan.pdf"),
        ("../../etc/passwd", "passwd"),
        ("/", ""),
        ("a\x00b\r\nc", "a b c"),
        ("=?utf-8?q?Schl=C3=BCssel.pdf?=", "Schlüssel.pdf"),
        ("=?utf-8?q?..=2F..=2Fplan.pdf?=", "plan.pdf"),
        ("plan\u202efdp.exe", "plan fdp.exe"),
        ("x" * 200 + ".pdf", "x" * 145 + "….pdf"),
        ("x" * 200, "x" * 149 + "…"),
        ("  ", ""),
    ],
)
def test_names_are_for_showing(text: str, name: str) -> None:
    """No path, no control characters, nothing that turns it around, at most 150 characters."""
    assert clean_name(text) == name


@given(st.lists(st.sampled_from(TOKENS), max_size=40).map(b"".join))
def test_any_message_is_a_tree(raw: bytes) -> None:
    """Each part lies within its multipart, behind it in order; the limits hold; nothing raises."""
    parts = parts_of(raw)

    assert 1 <= len(parts) <= MAX_PARTS
    for index, part in enumerate(parts):
        assert 0 <= part.start <= part.end <= len(raw)
        assert part.parent < index
        assert 0 <= part.depth <= MAX_DEPTH
        if index:
            around = parts[part.parent]
            assert around.is_multipart
            assert around.start <= part.start <= part.end <= around.end
            assert part.depth == around.depth + 1


def test_siblings_do_not_overlap() -> None:
    """The bytes between the boundaries, without the line end that belongs to a boundary (RFC 2046 §5.1.1)."""
    raw = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\none\r\n\r\n--a\r\n\r\ntwo\r\n--a--\r\n"

    assert [raw[part.start : part.end] for part in parts_of(raw)[1:]] == [b"one\r\n", b"two"]


def test_a_large_message_is_looked_through_a_few_times_only() -> None:
    """Each level costs a look through all that is in it, so a hundred levels of 5 MB are not opened; a small message's are."""

    def levels(padding: bytes) -> int:
        opened = b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(MAX_DEPTH)
        )
        return max(part.depth for part in parts_of(opened + b"\r\n" + padding))

    assert levels(b"x") == MAX_DEPTH
    assert 5 < levels(b"x\r\n" * 2_000_000) < 20


@pytest.mark.parametrize(
    ("content", "encoding", "data", "defect"),
    [
        (b"YWJj", "base64", b"abc", ""),
        (b"YW Jj\r\n\tZA==", "base64", b"abcd", ""),
        (b"YWJ", "base64", b"ab", ""),
        (b"Y", "base64", b"", ""),
        (b"YQ==Yg==", "base64", b"ab", ""),
        (b"", "base64", b"", ""),
        (b"not base64, at all!", "base64", b"", "not base64, though it says so"),
        (b"YWJj\r\n-- \r\nfooter here\r\n", "base64", b"abc", "text after base64"),
        (b"a=3Db=\r\nc", "quoted-printable", b"a=bc", ""),
        (b"a=  \r\nb", "quoted-printable", b"ab", ""),
        (b"a=ZZ=", "quoted-printable", b"a=ZZ", ""),
        (b"a=3D", "7bit", b"a=3D", ""),
        (b"a", "x-uuencode", b"a", ""),
    ],
)
def test_transfer_encodings(content: bytes, encoding: str, data: bytes, defect: str) -> None:
    """Taken off as far as they go (RFC 2045 §6)."""
    decoded = decode_transfer(content, encoding)

    assert (decoded.data, decoded.defect) == (data, defect)


@given(st.binary(max_size=300), st.sampled_from(["base64", "quoted-printable", "7bit", ""]))
def test_transfer_encodings_never_raise(content: bytes, encoding: str) -> None:
    """And never make more than there was."""
    decoded = decode_transfer(content, encoding)

    assert len(decoded.data) + len(decoded.rest) <= len(content)


@given(st.binary(max_size=300))
def test_what_was_encoded_is_read_back(data: bytes) -> None:
    """Base64 exactly; quoted-printable too, which is told to spare line ends."""
    assert decode_transfer(binascii.b2a_base64(data), "base64") == (data, b"", "")
    assert decode_transfer(binascii.b2a_qp(data, istext=False), "quoted-printable") == (data, b"", "")


@given(st.binary(min_size=1, max_size=300), st.sampled_from([binascii.b2a_base64, binascii.b2a_qp]))
def test_sizes_are_about_right(data: bytes, encode: object) -> None:
    """Counted without decoding: to the octet for base64, within one for each line of quoted-printable."""
    encoding = "base64" if encode is binascii.b2a_base64 else "quoted-printable"
    content = binascii.b2a_base64(data, newline=False) if encoding == "base64" else binascii.b2a_qp(data, istext=False)
    raw = b"Content-Type: image/png\r\nContent-Transfer-Encoding: " + encoding.encode() + b"\r\n\r\n" + content

    size = decoded_size(raw, parts_of(raw)[0])

    assert abs(size - len(data)) <= (content.count(b"=\n") if encoding != "base64" else 0)
