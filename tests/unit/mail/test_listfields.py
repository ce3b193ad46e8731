"""The fields of a list, as mail programs and providers want to find them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail.address import read_mailboxes
from listserver.mail.headers import read_header
from listserver.mail.listfields import ListIdentity, list_fields, unsubscribe_fields

TOOLS = ListIdentity(
    name="Hartley Vale Tool Share",
    list_id="toolshare.lists.example.org",
    post="toolshare@lists.example.org",
    join="toolshare-join@lists.example.org",
    help="toolshare-help@lists.example.org",
    owner="toolshare-owner@lists.example.org",
    archive="https://lists.example.org/toolshare",
)


def named(name: str) -> ListIdentity:
    """The list under another name."""
    return ListIdentity(name=name, list_id=TOOLS.list_id, post=TOOLS.post, join=TOOLS.join, help=TOOLS.help, owner=TOOLS.owner)


def test_the_fields_of_a_list() -> None:
    """RFC 2369, 2919 and 5064, each at most once."""
    assert list_fields(TOOLS, archived_at="https://lists.example.org/toolshare/p/7").decode().split("\r\n") == [
        "List-Id: Hartley Vale Tool Share <toolshare.lists.example.org>",
        "List-Post: <mailto:toolshare@lists.example.org>",
        "List-Help: <mailto:toolshare-help@lists.example.org>",
        "List-Owner: <mailto:toolshare-owner@lists.example.org>",
        "List-Subscribe: <mailto:toolshare-join@lists.example.org>",
        "List-Archive: <https://lists.example.org/toolshare>",
        "Archived-At: <https://lists.example.org/toolshare/p/7>",
        "",
    ]


def test_without_an_archive_none_is_named() -> None:
    """No field that points nowhere."""
    names = {field.name for field in read_header(list_fields(named("x"))).fields}

    assert not names & {"list-archive", "archived-at"}


def test_leaving_by_mail_and_by_one_click() -> None:
    """Both ways in one field, https first (RFC 2369 §2), and the sign of RFC 8058."""
    assert unsubscribe_fields("toolshare-leave+abc@lists.example.org", "https://lists.example.org/u/abc") == (
        b"List-Unsubscribe: <https://lists.example.org/u/abc>,\r\n"
        b" <mailto:toolshare-leave+abc@lists.example.org?subject=leave>\r\n"
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    )


@pytest.mark.parametrize("url", ["", "http://lists.example.org/u/abc", "ftp://x", "javascript:alert(1)"])
def test_one_click_needs_https(url: str) -> None:
    """RFC 8058 §3.1: else there is only the mail address."""
    assert (
        unsubscribe_fields("l-leave+abc@example.org", url)
        == b"List-Unsubscribe: <mailto:l-leave+abc@example.org?subject=leave>\r\n"
    )


def test_a_long_link_stays_whole() -> None:
    """Neither broken nor encoded, however long."""
    url = "https://lists.example.org/u/" + "x" * 500

    assert f"<{url}>".encode() in unsubscribe_fields("l-leave+abc@example.org", url)


@pytest.mark.parametrize(
    ("mailto", "url"),
    [
        ("a@b>\r\nBcc: x@y", "https://x/"),
        ("a@b\n", ""),
        ("a@b", "https://x/\r\nBcc: x@y"),
        ("a@b\x00", "https://x/"),
    ],
)
def test_line_ends_are_refused(mailto: str, url: str) -> None:
    """In the fields of one member too."""
    with pytest.raises(ValueError, match="line end or NUL"):
        unsubscribe_fields(mailto, url)


@pytest.mark.parametrize(
    ("mailto", "expected"),
    [
        ("a&b=c?d%e-leave+x@example.org", "a%26b%3Dc%3Fd%25e-leave+x@example.org"),
        ("grüße@bücher.example", "gr%C3%BC%C3%9Fe@xn--bcher-kva.example"),
        ("a>b@example.org", "a%3Eb@example.org"),
        ("a b@example.org", "a%20b@example.org"),
    ],
)
def test_addresses_in_links_are_percent_encoded(mailto: str, expected: str) -> None:
    """RFC 6068 §2: nothing in an address is taken for the link's own signs."""
    assert unsubscribe_fields(mailto) == f"List-Unsubscribe: <mailto:{expected}?subject=leave>\r\n".encode()


@pytest.mark.parametrize(
    "name", ["Tools, lend & borrow", 'The "shed"', "Tools: <all>", "Werkzeug für alle", "工具共享", "", "x" * 100, "a (b) c"]
)
def test_any_name_is_written_and_read_back(name: str) -> None:
    """A phrase (RFC 2919 §2): quoted or encoded where needed; the machine name stands last in brackets."""
    body = read_header(list_fields(named(name))).first("list-id")

    assert body is not None
    assert body.endswith(b"<toolshare.lists.example.org>")
    found = read_mailboxes(body.replace(b"<toolshare.", b"<x@toolshare."))
    assert found is not None
    assert found[0].name == name


def test_a_name_with_a_line_end_is_refused() -> None:
    """No header injection from a list's name."""
    with pytest.raises(ValueError, match="line end"):
        list_fields(named("x\r\nBcc: y@z"))


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=100),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=300),
)
def test_whatever_the_texts_the_fields_are_these(name: str, path: str) -> None:
    """Seven fields in ASCII, no more, with lines of at most 998 octets."""
    identity = ListIdentity(
        name=name,
        list_id=TOOLS.list_id,
        post=TOOLS.post,
        join=TOOLS.join,
        help=TOOLS.help,
        owner=TOOLS.owner,
        archive="https://x/" + path[:50],
    )

    written = list_fields(identity, archived_at="https://lists.example.org/" + path[:50])

    header = read_header(written)
    assert len(header.fields) == 7
    assert header.end == len(written)
    assert written.isascii()
    assert max(map(len, written.split(b"\r\n"))) <= 998
