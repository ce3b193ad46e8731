"""Tokens of three kinds, all fit for a local part: lower-case, forgiving, at most 64 octets with the name before them.

*Names* (10 letters) name a post or a digest, the same for all readers, and give no authority. *Questions* (12 letters)
are random, stored hashed, for one purpose and one address. *Permissions* are stateless and sent by the thousand:
HMAC-SHA-256 over kind, list, member and day, 80 bits of it in base32.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"
NAME_LETTERS = 10
QUESTION_LETTERS = 12
_MAC_BYTES = 10


def _letters(random: bytes, count: int) -> str:
    number, letters = int.from_bytes(random[:16]), []
    for _each in range(count):
        number, digit = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[digit])
    return "".join(letters)


def name_token(random: bytes) -> str:
    """A name of 10 letters from at least 16 random bytes."""
    return _letters(random, NAME_LETTERS)


def question_token(random: bytes) -> str:
    """A question's token of 12 letters from at least 16 random bytes."""
    return _letters(random, QUESTION_LETTERS)


def hash_question(token: str) -> bytes:
    """The form in which a question's token is stored and looked up; case does not matter."""
    return hashlib.sha256(b"question\x00" + token.strip().lower().encode("utf-8", "replace")).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What a signed token allows: something for one member of one list, made on a day (days since 1970)."""

    list_id: int
    member_id: int
    day: int


class PermissionSigner:
    """Signs one kind of permission for many members of one list on one day; a token costs microseconds."""

    def __init__(self, secret: bytes, kind: str, list_id: int, day: int) -> None:
        self._head = _number(list_id) + _number(day)
        self._mac = hmac.new(secret, kind.encode() + b"\x00" + self._head, hashlib.sha256)

    def sign(self, member_id: int) -> str:
        """The token of one member."""
        member = _number(member_id)
        mac = self._mac.copy()
        mac.update(member)
        return _base32(self._head + member + mac.digest()[:_MAC_BYTES])


def sign_permission(secret: bytes, kind: str, list_id: int, member_id: int, day: int) -> str:
    """A permission of one kind: about 26 letters of base32, lower-case."""
    return PermissionSigner(secret, kind, list_id, day).sign(member_id)


def read_permission(secret: bytes, kind: str, token: str) -> Permission | None:
    """What a token allows, or None if it is not ours; compared in constant time."""
    text = token.strip().upper()
    if not 20 <= len(text) <= 60 or not text.isascii():
        return None
    try:
        data = base64.b32decode(text + "=" * (-len(text) % 8))
        list_id, rest = _read_number(data)
        day, rest = _read_number(rest)
        member_id, mac = _read_number(rest)
    except (ValueError, IndexError):
        return None
    expected = hmac.new(secret, kind.encode() + b"\x00" + data[: len(data) - len(mac)], hashlib.sha256).digest()[:_MAC_BYTES]
    if not hmac.compare_digest(mac, expected):
        return None
    return Permission(list_id=list_id, member_id=member_id, day=day)


def reading_key(secret: bytes, list_id: int, number: int) -> str:
    """The key in the link to one post of a members' archive: 16 letters of base32, the same for every reader, unlimited."""
    mac = hmac.new(secret, b"read\x00" + _number(list_id) + _number(number), hashlib.sha256).digest()[:_MAC_BYTES]
    return base64.b32encode(mac).decode("ascii").lower()


def is_reading_key(secret: bytes, list_id: int, number: int, key: str) -> bool:
    """Whether a key opens this post; compared in constant time."""
    return hmac.compare_digest(reading_key(secret, list_id, number).encode(), key.strip().lower().encode("utf-8", "replace"))


_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _BASE32 for second in _BASE32]


def _base32(data: bytes) -> str:
    """Base32 in lower case without padding (RFC 4648 §6), two letters at a time: each copy of a post carries two of these."""
    bits = len(data) * 8
    letters = -(-bits // 5)
    number = int.from_bytes(data) << (letters * 5 - bits)
    text = "".join([_PAIRS[(number >> shift) & 1023] for shift in range(letters * 5 - 10, -1, -10)])
    return text + _BASE32[number & 31] if letters % 2 else text


def _number(value: int) -> bytes:
    """A number as octets of seven bits, the highest bit marking that more follow."""
    out = bytearray([value & 0x7F])
    while value := value >> 7:
        out.append(0x80 | (value & 0x7F))
    return bytes(reversed(out))


def _read_number(data: bytes) -> tuple[int, bytes]:
    value = 0
    for position in range(9):
        octet = data[position]
        value = value << 7 | (octet & 0x7F)
        if not octet & 0x80:
            return value, data[position + 1 :]
    raise ValueError("no number")
