"""Addresses decide who somebody is: what is unusual is not guessed at."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail.address import (
    Address,
    Mailbox,
    format_mailbox,
    parse_address,
    parse_path,
    read_author,
    read_mailboxes,
)
from listserver.mail.headers import read_header, write_field

field_like = st.lists(
    st.sampled_from(
        b'gwen@example.net|Gwen|"|\\|(|)|<|>|,|:|;|@| |\r\n |.|=?utf-8?q?a=2Cb?=|"a \\" b"|\xc3\xa9|\xff|\x00|x@[1.2.3.4]'.split(
            b"|"
        )
    ),
    max_size=25,
).map(b"".join)


@pytest.mark.parametrize(
    "text",
    [
        "gwen@example.net",
        "GWEN@Example.NET",
        "gwen.pritchard+tools@mail.example.net",
        "o'brien@example.net",
        "user@localhost",
        "a@b",
        '"gwen pritchard"@example.net',
        '"a@b"@example.net',
        r'"a\"b"@example.net',
        "toolshare-bounces+abc=def@lists.example.org",
        "user@[192.0.2.1]",
        "user@[IPv6:2001:db8::1]",
        "jörg@bücher.example",
        "用户@例子.example",
        "x@xn--bcher-kva.example",
        "a_b@under_score.example",
        "x" * 64 + "@example.net",
    ],
)
def test_an_address_is_taken_as_given(text: str) -> None:
    """Dot-atoms, quoted strings, literals, UTF-8 (RFC 6531), hosts without a dot."""
    address = parse_address(text)

    assert address is not None
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "gwen",
        "gwen@",
        "@example.net",
        "a@b@c",
        ".gwen@example.net",
        "gwen.@example.net",
        "gw..en@example.net",
        "gwen@example..net",
        "gwen@.example.net",
        "gwen@example.net.",
        "gwen@-example.net",
        "gwen@example-.net",
        "gwen pritchard@example.net",
        " gwen@example.net",
        "gwen@example.net ",
        "gwen@exam ple.net",
        "<gwen@example.net>",
        "@relay.example:gwen@example.net",
        "gwen(comment)@example.net",
        "gwen@example.net\r\nBcc: x@example.org",
        "gwen\x00@example.net",
        '"gw\x00en"@example.net',
        '"gwen@example.net',
        'gw"en@example.net',
        "gwen@[not a literal]",
        "gwen@exam\u200bple.net",
        "gwen@\udce4.example",
        "gwen\u202e@example.net",
        "x" * 65 + "@example.net",
        "ü" * 33 + "@example.net",
        "gwen@" + "x" * 64 + ".net",
        "gwen@" + ".".join(["x" * 60] * 5),
        "gwen@example.net,tom@example.net",
    ],
)
def test_what_is_unusual_is_no_address(text: str) -> None:
    """No comments, source routes, white space, control characters; ≤ 64 and ≤ 255 octets (RFC 5321 §4.5.3.1)."""
    assert parse_address(text) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Gwen@Example.NET", "gwen@example.net"),
        ("x@bücher.example", "X@XN--BCHER-KVA.example"),
        ("x@BÜCHER.example", "x@bücher.example"),
        ('"gwen"@example.net', "gwen@example.net"),
        ('"gw\\en"@example.net', "gwen@example.net"),
        ("jo\u0308rg@example.net", "j\u00f6rg@example.net"),
    ],
)
def test_two_spellings_of_one_address_have_one_key(one: str, other: str) -> None:
    """Compared without case, the domain in its ASCII form."""
    first, second = parse_address(one), parse_address(other)

    assert first is not None
    assert second is not None
    assert first.key == second.key


def test_different_local_parts_have_different_keys() -> None:
    """Quotes that are needed stay part of the key, and nothing is folded that the owner of a domain may tell apart."""
    keys = {Address(local, "example.net").key for local in ('"a b"', "ab", "a.b", "a+b", '"a@b"')}

    assert len(keys) == 5


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("", None),
        ("<>", None),
        ("<a@b>", "a@b"),
        ("a@b", "a@b"),
        ("<@x:a@b>", None),
        ("<a@b", None),
        ("< a@b>", None),
        ("<<a@b>>", None),
    ],
)
def test_paths(path: str, address: str | None) -> None:
    """The null path is none; brackets are a pair."""
    found = parse_path(path)

    assert (str(found) if found else None) == address


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b" gwen@example.net", [("", "gwen@example.net")]),
        (b" <gwen@example.net>", [("", "gwen@example.net")]),
        (b" Gwen Pritchard <gwen@example.net>", [("Gwen Pritchard", "gwen@example.net")]),
        (b' "Pritchard, Gwen" <gwen@example.net>', [("Pritchard, Gwen", "gwen@example.net")]),
        (b' "a \\"b\\" <x@y>" <gwen@example.net>', [('a "b" <x@y>', "gwen@example.net")]),
        (b" gwen@example.net (Gwen Pritchard)", [("Gwen Pritchard", "gwen@example.net")]),
        (b" (a (nested) comment) gwen@example.net", [("a (nested) comment", "gwen@example.net")]),
        (b" Gwen (at home) <gwen@example.net>", [("Gwen", "gwen@example.net")]),
        (b" =?utf-8?q?Gw=C3=A9n=2C_P?= <gwen@example.net>", [("Gwén, P", "gwen@example.net")]),
        (b' "=?utf-8?q?Gw=C3=A9n?=" <gwen@example.net>', [("Gwén", "gwen@example.net")]),
        ("Gwén <gwén@bücher.example>".encode(), [("Gwén", "gwén@bücher.example")]),
        (b" Gw\xe9n <gwen@example.net>", [("Gwén", "gwen@example.net")]),
        (b" a@b, <c@d> ,\r\n\tE <e@f>", [("", "a@b"), ("", "c@d"), ("E", "e@f")]),
        (b" a@b,, ,c@d,", [("", "a@b"), ("", "c@d")]),
        (b" Friends: a@b, C <c@d>; , e@f", [("", "a@b"), ("C", "c@d"), ("", "e@f")]),
        (b" undisclosed-recipients:;", []),
        (b" undisclosed recipients: ;", []),
        (b"", []),
        (b" GWEN@example.net <gwen@example.net>", [("GWEN@example.net", "gwen@example.net")]),
        (b" G. P. O'Neil <gwen@example.net>", [("G. P. O'Neil", "gwen@example.net")]),
        (b' "" <gwen@example.net>', [("", "gwen@example.net")]),
    ],
)
def test_mailboxes(body: bytes, expected: list[tuple[str, str]]) -> None:
    """Names, comments, encoded words and groups (RFC 5322 §3.4)."""
    found = read_mailboxes(body)

    assert found is not None
    assert [(box.name, str(box.address)) for box in found] == expected


@pytest.mark.parametrize(
    "body",
    [
        b" gwen",
        b" Gwen Pritchard",
        b" gwen@example.net tom@example.net",
        b" <gwen@example.net> <tom@example.net>",
        b" <gwen@example.net> tom@example.net",
        b" boss@bank.example <thief@example.net>",
        b' "boss@bank.example" boss@bank.example <thief@example.net>',
        b" Pritchard, Gwen <gwen@example.net>",
        b' "Gwen <gwen@example.net>',
        b" (Gwen <gwen@example.net>",
        b" Gwen) <gwen@example.net>",
        b" <@relay.example:gwen@example.net>",
        b" <gwen@example.net",
        b" gwen@example.net>",
        b" <<gwen@example.net>>",
        b" gwen@example.net(x).evil.example",
        b" <gwen@example.net(x).evil.example>",
        b" <gwen @example.net>",
        b" a@b; c@d",
        b" gw\xe9n@example.net",
        b" gwen\x00@example.net",
    ],
)
def test_what_two_programs_would_read_differently_is_not_read(body: bytes) -> None:
    """None, not a guess."""
    assert read_mailboxes(body) is None


def test_a_long_field_is_cut_between_addresses() -> None:
    """Recipients beyond the limit are not read; half an address is none."""
    found = read_mailboxes(b", ".join(b"a%04d@example.net" % n for n in range(1000)), 4096)

    assert found is not None
    assert 200 < len(found) < 300
    assert {len(str(box.address)) for box in found} == {17}


@pytest.mark.parametrize(
    ("fields", "author"),
    [
        (b"From: Gwen <gwen@example.net>\r\n", "gwen@example.net"),
        (b"From : gwen@example.net\r\n", "gwen@example.net"),
        (b"", None),
        (b"From:\r\n", None),
        (b"From: a@b\r\nFrom: a@b\r\n", None),
        (b"From: a@b\r\nfrom : c@d\r\n", None),
        (b"From: a@b, c@d\r\n", None),
        (b"From: Friends: a@b;\r\n", None),
        (b"From: a: b@c\r\n", None),
        (b"From: a@b," + b" " * 5000 + b"c@d\r\n", None),
        (b"From: nobody\r\n", None),
    ],
)
def test_the_author_is_exactly_one(fields: bytes, author: str | None) -> None:
    """One From field with one mailbox, read whole; else nobody is believed."""
    found = read_author(read_header(fields + b"\r\n"))

    assert (str(found.address) if found else None) == author


@given(field_like | st.binary(max_size=200))
def test_reading_never_raises_and_addresses_are_strict(body: bytes) -> None:
    """Every address that is read can be parsed again; names hold no line end and no NUL."""
    for box in read_mailboxes(body) or []:
        assert parse_address(str(box.address)) == box.address
        assert box.address.key
        assert not {"\r", "\n", "\x00"} & set(box.name)


@given(st.text(max_size=300))
def test_parsing_never_raises(text: str) -> None:
    """Any text is an address or None."""
    found = parse_address(text)

    assert found is None or str(found) == text


@given(
    st.text(st.characters(codec="utf-8"), max_size=120),
    st.sampled_from(["gwen@example.net", "jörg@bücher.example", '"a b"@example.net']),
)
def test_a_formatted_mailbox_is_read_back(name: str, address: str) -> None:
    """Quotes, commas, brackets and encoded-word look-alikes in a name change neither it nor the address."""
    if any(c in name for c in "\r\n\x00"):
        with pytest.raises(ValueError, match="line end"):
            format_mailbox(name, address)
        return

    field = read_header(write_field("Reply-To", format_mailbox(name, address)) + b"\r\n").first("reply-to")

    assert field is not None
    found = read_mailboxes(field)
    shown = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202d\u202e]", " ", name).split())
    parsed = parse_address(address)
    assert parsed is not None
    assert found == [Mailbox(shown, parsed)]


@pytest.mark.parametrize("name", ["علی\u200cرضا", "👩\u200d👩\u200d👧", "a\u00adb"])
def test_joiners_in_a_name_stay(name: str) -> None:
    """They are letters' business, not control characters: without them other words are read."""
    found = read_mailboxes(format_mailbox(name, "gwen@example.net").encode())

    assert found is not None
    assert found[0].name == name


def test_a_name_in_quotes() -> None:
    """What looks like syntax is quoted."""
    assert format_mailbox("Tool Share (everyone)", "l@example.org") == '"Tool Share (everyone)" <l@example.org>'
    assert format_mailbox("Gwen", "g@example.org") == "Gwen <g@example.org>"
    assert format_mailbox("", "g@example.org") == "g@example.org"


@pytest.mark.parametrize("address", ["a@b>", "<a@b", "a@b\r\n"])
def test_an_address_cannot_leave_its_brackets(address: str) -> None:
    """Nor bring a line end."""
    with pytest.raises(ValueError, match=r"line end|brackets"):
        format_mailbox("x", address)


@pytest.mark.parametrize(
    "part",
    [
        b",",
        b'"',
        b'\\"',
        b'"\\',
        b"(",
        b"()",
        b"a@b,",
        b"<",
        b"a ",
        b" ",
        b"a",
        b":",
        b";",
        b"x:;",
        b"(\\",
        b"a@",
        b"=?a?q?",
        b"a <:",
    ],
)
def test_hostile_fields_cost_linear_time(part: bytes) -> None:
    """`To:` of 50 KB of commas keeps Python's own parser busy for 14 seconds."""
    body = part * (32_000 // len(part))
    started = time.process_time()

    read_mailboxes(body, 32_768)

    assert time.process_time() - started < 0.5
