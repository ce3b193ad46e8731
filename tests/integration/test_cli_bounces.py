"""`listserver bounces` and what `member` says of mail that comes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from listserver.cli.main import main
from listserver.config import Settings
from listserver.flows import returned
from listserver.flows.returned import Sign
from listserver.mail.refusal import Reason, Weight
from listserver.server import open_site
from tests.integration.test_bounces import report


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a list and one member whose mail came back once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LISTSERVER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LISTSERVER_HOSTNAME", "lists.example.org")
    assert main(["list", "create", "toolshare@lists.example.org"]) == 0
    assert main(["member", "add", "toolshare", "gwen@example.net"]) == 0
    site = open_site(Settings())
    sign = Sign(weight=Weight.hard, reason=Reason.unknown, detail="550 no such user")
    site.database.write(lambda connection: returned.count(connection, site, site.directory.everything()[0].id, 1, sign))
    site.database.close()
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_a_members_returned_mail_is_shown_and_can_be_forgotten(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`member show` and `bounces ls` say the same; `bounces=clear` forgets it."""
    shown = said(capsys, "member", "show", "toolshare", "gwen@example.net")["bounces"]
    assert isinstance(shown, dict)
    assert (shown["score"], shown["reason"], shown["detail"]) == (1.0, "unknown", "550 no such user")
    listed = said(capsys, "bounces", "ls", "toolshare")["bounces"]
    assert listed == [{"address": "gwen@example.net", "name": "", "state": "active", **shown}]

    assert main(["member", "set", "toolshare", "gwen@example.net", "bounces=clear"]) == 0
    assert said(capsys, "member", "show", "toolshare", "gwen@example.net")["bounces"] is None
    assert main(["member", "set", "toolshare", "gwen@example.net", "bounces=more"]) == 2


def test_a_file_is_read_without_doing_anything(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`bounces read` says what would be made of a mail, and of one that is none."""
    (place / "returned.eml").write_bytes(report("552 5.2.2 mailbox full", "5.2.2"))
    (place / "post.eml").write_bytes(b"From: Gwen <gwen@example.net>\nSubject: Ladder\n\nWho has it?\n")

    first, second = said(capsys, "bounces", "read", "--unsigned", "returned.eml", "post.eml")["read"]  # type: ignore[misc]
    assert (first["weight"], first["reason"], first["recipient"], first["read_by"]) == (
        "soft",
        "full",
        "gwen@example.net",
        "report",
    )
    assert second["weight"] is None
    assert main(["bounces", "read", "nowhere.eml"]) == 2
