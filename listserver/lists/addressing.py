"""What an address of ours means: local part → destination, with every synonym that people know from other lists.

An exact list name wins over a suffix reading, and the longest existing list name wins. Case does not matter, and a `+`
that some program wrote as `%2B` is a plus.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from listserver.lists.model import OptionError


class DestinationKind(StrEnum):
    """What an address is for."""

    post = "post"
    join = "join"  # type: ignore[assignment]  # str has a method of that name; the word is the glossary's
    leave = "leave"
    request = "request"
    help = "help"
    confirm = "confirm"
    owner = "owner"
    digest = "digest"
    reply_token = "r"
    private_token = "p"
    question = "q"
    undo = "u"
    moderate = "m"
    bounces = "bounces"
    postmaster = "postmaster"
    abuse = "abuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a recipient address leads: a purpose, a list unless it is the site's, a token, and what else it carried."""

    kind: DestinationKind
    list_address: str | None = None
    token: str | None = None
    argument: str | None = None


_K = DestinationKind
_SUFFIXES: dict[str, tuple[DestinationKind, str | None]] = {
    "join": (_K.join, None),
    "subscribe": (_K.join, None),
    "join-digest": (_K.join, "digest"),
    "subscribe-digest": (_K.join, "digest"),
    "digest-subscribe": (_K.join, "digest"),
    "subscribe-nomail": (_K.join, "none"),
    "subscribe-request": (_K.join, None),
    "leave": (_K.leave, None),
    "unsubscribe": (_K.leave, None),
    "unsubscribe-digest": (_K.leave, None),
    "digest-unsubscribe": (_K.leave, None),
    "unsubscribe-nomail": (_K.leave, None),
    "signoff-request": (_K.leave, None),
    "leave-digest": (_K.leave, None),
    "request": (_K.request, None),
    "digest-request": (_K.request, "digest"),
    "help": (_K.help, None),
    "faq": (_K.help, None),
    "info": (_K.help, None),
    "index": (_K.help, None),
    "query": (_K.request, "settings"),
    "confirm": (_K.confirm, None),
    "owner": (_K.owner, None),
    "admin": (_K.owner, None),
    "moderator": (_K.owner, None),
    "editor": (_K.owner, None),
    "digest": (_K.digest, None),
    "bounces": (_K.bounces, None),
}
_TOKEN_KINDS = {"r": _K.reply_token, "p": _K.private_token, "d": _K.digest, "q": _K.question, "u": _K.undo, "m": _K.moderate}
_TOKEN_SUFFIXES = {"leave": _K.leave, "confirm": _K.confirm, "bounces": _K.bounces}
_SITE = {
    "postmaster": _K.postmaster,
    "abuse": _K.abuse,
    "mailer-daemon": _K.postmaster,
    "majordomo": _K.request,
    "listserv": _K.request,
    "sympa": _K.request,
}
_TOKEN = re.compile(r"[a-z0-9=_.-]{4,64}")
RESERVED = frozenset(_SUFFIXES) | frozenset(_SITE) | {"listserver", "root", "noreply", "no-reply"}


def route(local: str, domain: str, exists: Callable[[str], bool]) -> Destination | None:
    """Where `local@domain` leads, or None. `exists` says whether there is a list with a given whole address."""
    if len(local) > 200:
        return None
    name = local.strip().lower().replace("%2b", "+")
    domain = domain.lower()
    if exists(f"{name}@{domain}"):
        return Destination(kind=_K.post, list_address=f"{name}@{domain}")
    found = _route_owner(name, domain, exists)
    for position in range(len(name) - 1, 0, -1):  # the longest existing list name first
        if found is None and name[position] in "-+" and exists(f"{name[:position]}@{domain}"):
            found = _route_suffix(f"{name[:position]}@{domain}", name[position], name[position + 1 :])
    return found or _route_site(name)


def _route_owner(name: str, domain: str, exists: Callable[[str], bool]) -> Destination | None:
    if name.startswith("owner-") and exists(f"{name[6:]}@{domain}"):
        return Destination(kind=_K.owner, list_address=f"{name[6:]}@{domain}")
    return None


def _route_suffix(address: str, sign: str, suffix: str) -> Destination | None:
    if suffix in _SUFFIXES:
        kind, argument = _SUFFIXES[suffix]
        return Destination(kind=kind, list_address=address, argument=argument)
    for word, kind in _TOKEN_SUFFIXES.items():  # -leave+TOKEN, -confirm+TOKEN, -bounces+VERP
        if suffix.startswith(f"{word}+") and _TOKEN.fullmatch(suffix[len(word) + 1 :]):
            return Destination(kind=kind, list_address=address, token=suffix[len(word) + 1 :])
    head, dash, token = suffix.partition("-")
    if sign == "+" and dash and head in _TOKEN_KINDS and _TOKEN.fullmatch(token):
        return Destination(kind=_TOKEN_KINDS[head], list_address=address, token=token)
    return _route_dialect(address, sign, suffix)


def _route_dialect(address: str, sign: str, suffix: str) -> Destination | None:
    """Addresses that mlmmj and ezmlm taught people."""
    for word, kind in (("subscribe", _K.join), ("unsubscribe", _K.leave)):
        if suffix.startswith(f"{word}-") and "=" in suffix:  # ezmlm: -subscribe-user=host
            return Destination(kind=kind, list_address=address, argument="@".join(suffix[len(word) + 1 :].rsplit("=", 1)))
    for head in ("sc.", "uc.", "confsub", "confunsub"):
        if suffix.startswith(head):
            return Destination(kind=_K.confirm, list_address=address, token=suffix[len(head) :].lstrip("-+.") or None)
    match = re.fullmatch(r"get[-.](\d{1,9})", suffix)
    if match:
        return Destination(kind=_K.request, list_address=address, argument=f"send {match[1]}")
    return None


def _route_site(name: str) -> Destination | None:
    if name in _SITE:
        return Destination(kind=_SITE[name])
    head, plus, token = name.partition("+")
    if plus and head in ("bounces", "leave") and _TOKEN.fullmatch(token):
        return Destination(kind=_TOKEN_SUFFIXES[head], token=token)
    return None


def check_list_name(local: str) -> None:
    """Refuse a list name that would be read as something else. Raises: OptionError."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,39}", local):
        raise OptionError("address", "a list's name has up to 40 letters, digits, dots and hyphens, for example toolshare")
    if local in RESERVED or local.startswith("owner-") or any(local.endswith(f"-{word}") for word in RESERVED):
        raise OptionError(
            "address", f"{local} means something else here: choose another name, one that does not end in a word such as request"
        )
