"""Tokens: fit for a local part, forgiving to read, impossible to make without the secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.lists.tokens import (
    ALPHABET,
    Permission,
    PermissionSigner,
    hash_question,
    name_token,
    question_token,
    read_permission,
    sign_permission,
)

SECRET, OTHER = b"s" * 32, b"o" * 32


@given(st.integers(0, 2**40), st.integers(0, 2**30), st.integers(0, 60_000))
def test_a_permission_is_read_back(list_id: int, member: int, day: int) -> None:
    """Whatever numbers it names, in any case, and with the kind it was made for."""
    token = sign_permission(SECRET, "leave", list_id, member, day)
    assert token == token.lower()
    assert read_permission(SECRET, "leave", token) == Permission(list_id=list_id, member_id=member, day=day)
    assert read_permission(SECRET, "leave", f" {token.upper()}") == Permission(list_id=list_id, member_id=member, day=day)
    assert read_permission(SECRET, "bounces", token) is None
    assert read_permission(OTHER, "leave", token) is None


@given(st.integers(0, 25), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_changed_letter_makes_it_worthless(place: int, letter: str) -> None:
    """Every letter counts, but for the unused bits of the last."""
    token = sign_permission(SECRET, "leave", 3, 77, 20_000)
    place = min(place, len(token) - 2)
    forged = token[:place] + letter + token[place + 1 :]
    assert (read_permission(SECRET, "leave", forged) is None) is (forged != token)


@given(st.text(max_size=80))
def test_whatever_is_no_token_is_none(text: str) -> None:
    """Never an error."""
    assert read_permission(SECRET, "leave", text) is None


@pytest.mark.parametrize("member", [1, 127, 128, 16_384, 2**27])
def test_it_fits_into_a_local_part(member: int) -> None:
    """With the longest name of a list and any purpose before it, else the site's own address carries it (RFC 5321 §4.5.3.1.1)."""
    token = sign_permission(SECRET, "leave", 1_000_000, member, 20_000)
    assert len(f"{'x' * 20}-leave+{token}") <= 64
    assert token.isalnum()


def test_eighty_bits_stand_for_it() -> None:
    """16 letters of base32 are the signature, the rest is what is signed."""
    signer = PermissionSigner(SECRET, "leave", 1, 20_000)
    assert signer.sign(5) == sign_permission(SECRET, "leave", 1, 5, 20_000)
    tokens = {signer.sign(member)[-15:] for member in range(200)}
    assert len(tokens) == 200


@given(st.binary(min_size=16, max_size=40))
def test_names_and_questions(random: bytes) -> None:
    """10 and 12 letters of the alphabet without look-alikes, all of them from the randomness given."""
    assert len(name_token(random)) == 10
    assert len(question_token(random)) == 12
    assert set(name_token(random) + question_token(random)) <= set(ALPHABET)
    assert not set("01ilou") & set(ALPHABET) - {"u"}
    assert question_token(random) == question_token(random[:16])


def test_a_question_is_found_whatever_the_case() -> None:
    """It is kept hashed only."""
    token = question_token(b"0123456789abcdef")
    assert hash_question(f" {token.upper()} ") == hash_question(token)
    assert token.encode() not in hash_question(token)
