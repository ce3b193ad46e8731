"""Addresses that carry a token."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail.address import parse_address
from listserver.mail.verp import permission_address, permission_frame

names = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,39}", fullmatch=True).filter(lambda name: parse_address(f"{name}@x") is not None)


@pytest.mark.parametrize(
    ("local", "token", "expected"),
    [
        ("toolshare", "abc234", "toolshare-bounces+abc234@lists.example.org"),
        ("x" * 40, "y" * 15, "x" * 40 + "-bounces+" + "y" * 15 + "@lists.example.org"),
        ("x" * 40, "y" * 16, "bounces+" + "y" * 16 + "@lists.example.org"),
    ],
)
def test_the_sites_own_address_carries_what_is_too_long(local: str, token: str, expected: str) -> None:
    """RFC 5321 §4.5.3.1.1: a local part has at most 64 octets."""
    assert permission_address(local, "bounces", token, "lists.example.org") == expected


@given(names, st.sampled_from(["bounces", "leave", "confirm"]), st.from_regex(r"[a-z2-7]{12,40}", fullmatch=True))
def test_every_such_address_is_valid_and_survives_lower_casing(local: str, word: str, token: str) -> None:
    """Addresses that we invent are taken by every mail server, whatever it does to their case."""
    address = permission_address(local, word, token, "lists.example.org")

    assert parse_address(address) is not None
    assert address.lower() == address
    assert token in address


@given(names, st.from_regex(r"[a-z2-7]{12,40}", fullmatch=True))
def test_a_frame_builds_the_same_address(local: str, token: str) -> None:
    """Thousands of addresses by joining three texts."""
    before, after = permission_frame(local, "leave", len(token), "lists.example.org")

    assert before + token + after == permission_address(local, "leave", token, "lists.example.org")
