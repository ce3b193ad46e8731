"""The small frozen types of a list: options of lists and members with their defaults and checks, and the list itself.

Options are kept as text (one row an option) and read into one value here; every error is one sentence that says what
was expected. Zone names are checked against the time-zone database, which is data, not a clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from zoneinfo import available_timezones

from listserver.lists.patterns import may_take_for_ever
from listserver.mail.address import parse_address
from listserver.mail.headers import read_header


class Role(StrEnum):
    """What an address may do on a list."""

    member = "member"
    moderator = "moderator"
    owner = "owner"


class DeliveryMode(StrEnum):
    """How a member gets posts."""

    each = "each"
    digest = "digest"
    followed = "followed"
    none = "none"


class MemberState(StrEnum):
    """Where a membership stands."""

    pending = "pending"
    active = "active"
    paused = "paused"
    suspended = "suspended"
    left = "left"


class DigestFormat(StrEnum):
    """How a digest looks."""

    html = "html"
    text = "text"
    classic = "classic"
    classic_mime = "classic-mime"


class OptionError(ValueError):
    """An option's value is not what was expected."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}")
        self.key = key


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """Every option of a list; the defaults are the public contract."""

    name: str = ""
    short_name: str = ""
    description: str = ""
    language: str = "en"
    timezone: str = "UTC"
    subscribe: str = "confirm"
    post: str = "members"
    moderate_first: int = 0
    unverified_posts: str = "post"
    bcc_posts: str = "hold"
    allowed_senders: str = ""
    banned: str = ""
    hold_if_header: str = "X-Spam-Flag: YES"
    attachments: str = "allow"
    max_bytes: int = 10_000_000
    reply_to: str = "list"
    rewrite_from: str = "auto"
    subject_prefix: str = ""
    footer: str = ""
    default_delivery: str = "each"
    digest_at: str = "07:00"
    own_copies: bool = True
    skip_addressed: bool = False
    welcome: bool = True
    grace_minutes: int = 0
    notices: str = "together"
    archive: str = "members"
    private_replies: bool = False
    reminders: bool = False

    @classmethod
    def read(cls, values: Mapping[str, str]) -> ListOptions:
        """Read options from text. Raises: OptionError."""
        read: dict[str, object] = {}
        for key, value in values.items():
            text = read_option(key, value)
            kind = _FIELDS[key]
            read[key] = text == "yes" if kind == "bool" else int(text) if kind == "int" else text
        return cls(**read)  # type: ignore[arg-type]

    def to_text(self) -> dict[str, str]:
        """Every option as text, by name."""
        return {key: _as_text(getattr(self, key)) for key in _FIELDS}


def _as_text(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _text(limit: int, *, lines: bool = False) -> Callable[[str], str]:
    def check(value: str) -> str:
        bad = "\x00" if lines else "\r\n\x00"
        if any(c in value for c in bad):
            raise ValueError("one line of text without line ends" if not lines else "text without NUL")
        if len(value) > limit:
            raise ValueError(f"at most {limit} characters")
        return value.strip() if not lines else value

    return check


def _choice(*values: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        found = value.strip().lower()
        if found not in values:
            raise ValueError(f"expected {', '.join(values[:-1])} or {values[-1]}")
        return found

    return check


def _yes_no(value: str) -> str:
    found = {"yes": "yes", "no": "no", "on": "yes", "off": "no", "true": "yes", "false": "no", "1": "yes", "0": "no"}.get(
        value.strip().lower()
    )
    if found is None:
        raise ValueError("expected yes or no")
    return found


def _number(least: int, most: int) -> Callable[[str], str]:
    def check(value: str) -> str:
        digits = value.strip().replace("_", "")
        if not digits.isascii() or not digits.isdigit() or not least <= int(digits) <= most:
            raise ValueError(f"expected a number from {least} to {most}")
        return str(int(digits))

    return check


def _hour(value: str) -> str:
    match = re.fullmatch(r"(\d{1,2}):(\d{2})", value.strip())
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise ValueError("expected an hour such as 07:00")
    return f"{int(match[1]):02}:{match[2]}"


@cache
def _zones() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}


def _zone(value: str) -> str:
    found = _zones().get(value.strip().lower().replace(" ", "_"))
    if found is None:
        raise ValueError("expected a time zone such as Europe/London")
    return found


def _language(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*", value.strip()):
        raise ValueError("expected a language code such as en or pt-BR")
    return value.strip()


def _senders(value: str) -> str:
    keys = []
    for entry in filter(None, map(str.strip, re.split(r"[,\n]", value))):
        address = parse_address(f"x{entry}" if entry.startswith("@") else entry)
        if address is None:
            raise ValueError(f"{entry!r} is neither an address nor @domain")
        keys.append(address.key.removeprefix("x") if entry.startswith("@") else address.key)
    return ", ".join(dict.fromkeys(keys))


def _header_rules(value: str) -> str:
    for line in value.splitlines():
        name, sign, pattern = line.partition(":")
        if not line.strip():
            continue
        if not sign or not read_header(f"{name.strip()}: x\r\n".encode()).fields:
            raise ValueError("expected lines such as X-Spam-Flag: YES")
        if len(pattern) > 200:
            raise ValueError("a pattern is longer than 200 characters")
        try:
            re.compile(pattern.strip())
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"{pattern.strip()!r} is no regular expression") from error
        if may_take_for_ever(pattern):
            raise ValueError(
                f"{pattern.strip()!r} could take for ever: repeat no group that repeats or chooses, and at most two things"
            )
    return value


def _moment(value: str) -> str:
    """A day or a moment as ISO 8601 writes it; a day begins at midnight UTC."""
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        raise ValueError("expected a day such as 2026-03-20, or a moment with offset") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="minutes")


def _optional(check: Callable[[str], str]) -> Callable[[str], str]:
    return lambda value: check(value) if value.strip() else ""


_CHECKS: dict[str, Callable[[str], str]] = {
    "name": _text(100),
    "short_name": _text(40),
    "description": _text(500),
    "language": _language,
    "timezone": _zone,
    "subscribe": _choice("confirm", "approve", "invite", "closed"),
    "post": _choice("members", "anyone", "moderated", "announce"),
    "moderate_first": _number(0, 1000),
    "unverified_posts": _choice("post", "hold"),
    "bcc_posts": _choice("hold", "post"),
    "allowed_senders": _senders,
    "banned": _senders,
    "hold_if_header": _header_rules,
    "attachments": _choice("allow", "hold", "strip"),
    "max_bytes": _number(1_000, 1_000_000_000),
    "reply_to": _choice("list", "author"),
    "rewrite_from": _choice("auto", "always", "never"),
    "subject_prefix": _text(60),
    "footer": _text(2_000, lines=True),
    "default_delivery": _choice("each", "digest"),
    "digest_at": _hour,
    "own_copies": _yes_no,
    "skip_addressed": _yes_no,
    "welcome": _yes_no,
    "grace_minutes": _number(0, 60),
    "notices": _choice("together", "at-once", "off"),
    "archive": _choice("members", "public", "off"),
    "private_replies": _yes_no,
    "reminders": _yes_no,
}
_FIELDS: dict[str, str] = {field.name: str(field.type) for field in fields(ListOptions)}

_MEMBER_CHECKS: dict[str, Callable[[str], str]] = {
    "name": _text(100),
    "role": _choice("member", "moderator", "owner"),
    "delivery": _choice("each", "digest", "followed", "none"),
    "format": _choice("html", "text", "classic", "classic-mime"),
    "timezone": _optional(_zone),
    "digest_at": _optional(_hour),
    "language": _optional(_language),
    "paused_until": _optional(_moment),
    "moderated": _yes_no,
    "receipts": _choice("first", "on", "off"),
    "own_copies": _optional(_yes_no),
}


# Kept and shown, so that scripts may set them already, but without effect in this version: who sets one is told.
WITHOUT_EFFECT_YET: dict[str, str] = {
    "private_replies": "private messages to an author are not passed on yet",
    "reminders": "no monthly reminder is sent yet",
    "receipts": "receipts for posts are not sent yet",
    "format": "digests are plain text so far",
}


def _checked(checks: Mapping[str, Callable[[str], str]], key: str, value: str) -> str:
    check = checks.get(key)
    if check is None:
        raise OptionError(key, f"there is no such option; the options are {', '.join(sorted(checks))}")
    try:
        return check(value)
    except ValueError as error:
        raise OptionError(key, str(error)) from None


def read_option(key: str, value: str) -> str:
    """An option of a list in its one written form. Raises: OptionError."""
    return _checked(_CHECKS, key, value)


def read_member_option(key: str, value: str) -> str:
    """An option of a member in its one written form; '' follows the list. Raises: OptionError."""
    return _checked(_MEMBER_CHECKS, key, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailingList:
    """A list as every floor speaks of it."""

    id: int
    address: str
    options: ListOptions

    @property
    def local(self) -> str:
        """The part before the @."""
        return self.address.rpartition("@")[0]

    @property
    def host(self) -> str:
        """Its mail domain."""
        return self.address.rpartition("@")[2]

    @property
    def list_id(self) -> str:
        """Its machine name (RFC 2919)."""
        return f"{self.local}.{self.host}"

    @property
    def name(self) -> str:
        """Its name in full."""
        return self.options.name or self.local

    @property
    def short_name(self) -> str:
        """Its name where texts say it short."""
        return self.options.short_name or self.name

    def helper(self, suffix: str) -> str:
        """One of its other addresses, for example `helper('request')`."""
        return f"{self.local}-{suffix}@{self.host}"

    def with_token(self, kind: str, token: str) -> str:
        """An address that carries a token, for example `with_token('r', …)` for a reply to one post."""
        return f"{self.local}+{kind}-{token}@{self.host}"
