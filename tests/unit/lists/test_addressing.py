"""What an address of ours means, with every synonym that people know from other lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.lists.addressing import RESERVED, Destination, DestinationKind, check_list_name, route
from listserver.lists.model import OptionError

HOST = "lists.example.org"
LISTS = {f"{name}@{HOST}" for name in ("toolshare", "tool-share", "tool", "tool-share-news", "owner.x")}
_K = DestinationKind


def _route(local: str) -> Destination | None:
    return route(local, HOST, LISTS.__contains__)


ROLES = {
    _K.post: [""],
    _K.join: ["-join", "-subscribe", "+join", "+subscribe", "-subscribe-request"],
    _K.leave: ["-leave", "-unsubscribe", "+leave", "+unsubscribe", "-signoff-request", "-unsubscribe-digest", "-leave-digest"],
    _K.request: ["-request", "+request", "-digest-request", "-query"],
    _K.help: ["-help", "+help", "-info", "-faq", "+faq", "-index"],
    _K.owner: ["-owner", "-admin", "-moderator", "-editor"],
    _K.digest: ["-digest", "+d-8f3kq2mx7c"],
    _K.confirm: [
        "-confirm",
        "-confirm+p4w9k2tz6mhd",
        "+confirm+p4w9k2tz6mhd",
        "-sc.1234567.abcd",
        "+confsub+abcdef",
        "-uc.99.xy",
        "+confunsub-abcd",
    ],
    _K.reply_token: ["+r-7hn3c8zt2q"],
    _K.private_token: ["+p-7hn3c8zt2q"],
    _K.question: ["+q-p4w9k2tz6mhd"],
    _K.undo: ["+u-p4w9k2tz6mhd"],
    _K.moderate: ["+m-p4w9k2tz6mhd"],
    _K.bounces: ["-bounces", "-bounces+aebagbafaydqqcik"],
}


@pytest.mark.parametrize(("kind", "suffix"), [(kind, suffix) for kind, suffixes in ROLES.items() for suffix in suffixes])
def test_each_suffix_of_a_list(kind: DestinationKind, suffix: str) -> None:
    """In any case, and with a plus that some program wrote as %2B."""
    for local in (f"toolshare{suffix}", f"ToolShare{suffix.upper()}", f"toolshare{suffix.replace('+', '%2B')}"):
        found = _route(local)
        assert found is not None, local
        assert (found.kind, found.list_address) == (kind, f"toolshare@{HOST}"), local


@pytest.mark.parametrize(
    ("suffix", "argument"),
    [
        ("-join-digest", "digest"),
        ("+subscribe-digest", "digest"),
        ("+subscribe-nomail", "none"),
        ("-subscribe-gwen=example.net", "gwen@example.net"),
        ("-unsubscribe-g.p=x=example.net", "g.p=x@example.net"),
        ("+get-12", "send 12"),
        ("-get.7", "send 7"),
        ("-query", "settings"),
    ],
)
def test_what_else_an_address_carries(suffix: str, argument: str) -> None:
    """Digest or none, another person's address, a post's number."""
    found = _route(f"toolshare{suffix}")
    assert found is not None
    assert found.argument == argument


@pytest.mark.parametrize(
    ("local", "address", "kind"),
    [
        ("tool-share", "tool-share", _K.post),
        ("tool-share-news", "tool-share-news", _K.post),
        ("tool-share-news-join", "tool-share-news", _K.join),
        ("tool-share-join", "tool-share", _K.join),
        ("tool-join", "tool", _K.join),
        ("owner-toolshare", "toolshare", _K.owner),
    ],
)
def test_the_longest_existing_name_wins(local: str, address: str, kind: DestinationKind) -> None:
    """An exact list name before any suffix reading."""
    found = _route(local)
    assert found is not None
    assert (found.list_address, found.kind) == (f"{address}@{HOST}", kind)


@pytest.mark.parametrize(
    ("local", "kind", "token"),
    [
        ("postmaster", _K.postmaster, None),
        ("Abuse", _K.abuse, None),
        ("mailer-daemon", _K.postmaster, None),
        ("majordomo", _K.request, None),
        ("listserv", _K.request, None),
        ("sympa", _K.request, None),
        ("bounces+aebagbafaydqqcik", _K.bounces, "aebagbafaydqqcik"),
        ("leave+aebagbafaydqqcik", _K.leave, "aebagbafaydqqcik"),
    ],
)
def test_addresses_of_the_site(local: str, kind: DestinationKind, token: str | None) -> None:
    """They belong to no list."""
    found = _route(local)
    assert found is not None
    assert (found.kind, found.list_address, found.token) == (kind, None, token)


@pytest.mark.parametrize(
    "local",
    [
        "",
        "nothing",
        "toolshare-",
        "toolshare-nothing",
        "toolshare+",
        "toolshare+x-7hn3c8zt2q",
        "toolshare+r-",
        "toolshare+r-a b",
        "-join",
        "x" * 300,
        "toolshare\x00",
        "owner-nothing",
        "bounces+",
        "leave+x",
    ],
)
def test_whatever_does_not_exist_leads_nowhere(local: str) -> None:
    """Never an open relay."""
    assert _route(local) is None


def test_another_domain_is_another_list() -> None:
    """The whole address is looked up."""
    assert route("toolshare", "example.com", LISTS.__contains__) is None


@given(st.text(max_size=80))
def test_any_local_part_is_read_without_an_error(local: str) -> None:
    """And leads to a list that exists, or to none."""
    found = _route(local)
    assert found is None or found.list_address is None or found.list_address in LISTS


@pytest.mark.parametrize(
    "name", [*sorted(RESERVED), "x-request", "a-join", "owner-x", "", "ä", "a b", "a@b", "-a", ".a", "a" * 41, "a+b", "A"]
)
def test_names_that_a_list_may_not_have(name: str) -> None:
    """A reserved word, one that ends in one, or what mail programs would not bear; in one sentence."""
    with pytest.raises(OptionError) as refused:
        check_list_name(name)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["a", "tool-share", "x.y", "news2", "request-line", "a" * 40, "owners", "digestive"])
def test_names_that_a_list_may_have(name: str) -> None:
    """Words that only look like reserved ones."""
    check_list_name(name)
