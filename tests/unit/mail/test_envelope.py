"""The envelope is what SMTP carried: once taken it does not change, whatever the headers say."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from listserver.mail.envelope import Envelope, Peer

PEER = Peer(host="192.0.2.7", port=25, helo="mail.example.net", trusted=False, tls=True, protocol="ESMTPS")


def test_an_envelope_does_not_change() -> None:
    """No step of the service can add a recipient to it."""
    envelope = Envelope(reverse_path="gwen@example.net", recipients=("toolshare@lists.example.org",), peer=PEER)

    with pytest.raises(FrozenInstanceError):
        envelope.recipients = ("tom@example.net",)  # type: ignore[misc]
    assert not envelope.smtputf8


def test_recipients_keep_their_order_and_repetitions() -> None:
    """LMTP answers once for each, in order, duplicates too (RFC 2033 §4.2)."""
    given = ("b@lists.example.org", "a@lists.example.org", "b@lists.example.org")

    assert Envelope(reverse_path="", recipients=given, peer=PEER).recipients == given
