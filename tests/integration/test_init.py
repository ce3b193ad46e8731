"""A first installation: questions answered by people, by options and by scripts; what is written is what is read."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path

import pytest

from listserver.cli.init import MailServer, deploy_folder, mail_server_lines
from listserver.cli.main import main
from listserver.config import load_settings
from tests.acceptance.community import settings_for

OPTIONS = ["--domain", "Lists.Hartley.example", "--admin", "ruth@example.net", "--relay", "smtp://127.0.0.1:2525"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test works in a folder of its own, and nobody answers questions."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return tmp_path


def test_options_answer_all_questions(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No question is asked; the file is ours alone and holds what was given; lines for three mail servers are printed."""
    assert main(["init", *OPTIONS]) == 0
    written = load_settings()
    assert (written.hostname, written.admin, written.relay_address) == (
        "lists.hartley.example",
        "ruth@example.net",
        "smtp://127.0.0.1:2525",
    )
    assert written.lmtp_listen == "127.0.0.1:8024"
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    told = capsys.readouterr().out
    assert told.count("=====\n") >= 4
    for name in MailServer:
        assert mail_server_lines(name, written, "lists.hartley.example").strip("\n") in told
    assert "lists.example.org" not in told


def test_answers_may_come_through_a_pipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty line, or the end of the input, takes the default."""
    monkeypatch.setattr("sys.stdin", io.StringIO("lists.hartley.example\n\n"))
    assert main(["init", "--mta", "postfix"]) == 0
    written = load_settings()
    assert written.admin == "postmaster@lists.hartley.example"
    assert written.relay_address == "smtp://127.0.0.1:25"
    told = capsys.readouterr().out
    assert "Postfix" in told
    assert "OpenSMTPD" not in told


def test_the_lines_are_those_of_the_deploy_folder(tmp_path: Path) -> None:
    """With the values of the examples they are the files themselves, byte for byte; with others, only the values differ."""
    settings = settings_for(tmp_path, lmtp_listen="127.0.0.1:8024")
    for name, path in {"postfix": "postfix/main.cf", "exim": "exim/listserver.conf", "opensmtpd": "opensmtpd/smtpd.conf"}.items():
        text = (deploy_folder() / path).read_text()
        assert mail_server_lines(MailServer(name), settings, "lists.example.org") == text
        other = settings_for(tmp_path, lmtp_listen="192.0.2.7:2424", max_message_bytes=50_000_000)
        lines = mail_server_lines(MailServer(name), other, "lists.hartley.example")
        assert "lists.example.org" not in lines
        assert "127.0.0.1" not in lines.replace("127.0.0.0", "")
        assert "8024" not in lines
        assert "2424" in lines


@pytest.mark.parametrize("password", ["plain", "it's # a 'secret' \\ word", '100%25$ "x"', "a=b;c&d|e`f"])
def test_odd_values_are_read_back_as_they_were(password: str) -> None:
    """Quotes, blanks, #, backslashes and $ survive the way through the file."""
    relay = f"maildir:/var/{password}"
    assert main(["init", "--domain", "lists.hartley.example", "--admin", "ruth@example.net", "--relay", relay]) == 0
    assert load_settings().relay_address == relay


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no answer to"),
        (["--domain", "not a domain"], "no mail domain"),
        (["--domain", "x.example", "--admin", "nobody"], "not an email address"),
        (["--domain", "x.example", "--relay", "ftp://x"], "LISTSERVER_RELAY"),
        (["--domain", "x.example", "--relay", "maildir:${HOME}"], "cannot stand"),
        (["--domain", "x.example", "--web-url", "lists"], "LISTSERVER_WEB_URL"),
    ],
)
def test_a_bad_answer_writes_nothing(arguments: list[str], words: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that says what was expected, exit 2, no file."""
    assert main(["init", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert not (folder / ".env").exists()


def test_what_is_there_is_kept(folder: Path) -> None:
    """A second time is refused; with --force the old file is put aside."""
    assert main(["init", *OPTIONS]) == 0
    first = (folder / ".env").read_text()
    assert main(["init", *OPTIONS]) == 2
    assert main(["init", *OPTIONS, "--force", "--web-url", "https://lists.hartley.example"]) == 0
    assert (folder / ".env.old").read_text() == first
    assert load_settings().web_url == "https://lists.hartley.example"


def test_keys_are_made_and_their_records_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """`--dkim`: keys in DATA_DIR, the setting that names them, and what to publish."""
    assert main(["init", *OPTIONS, "--dkim"]) == 0
    told = capsys.readouterr().out
    assert 'rsa._domainkey.lists.hartley.example. TXT "v=DKIM1; k=rsa; p=' in told
    assert 'ed25519._domainkey.lists.hartley.example. TXT "v=DKIM1; k=ed25519; p=' in told
    assert main(["config", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["dkim_keys"] == "rsa=data/dkim-rsa.pem,ed25519=data/dkim-ed25519.pem"


def test_config_masks_secrets_and_nothing_else(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The relay and the database are shown without their passwords, the secret key not at all."""
    monkeypatch.setenv("LISTSERVER_RELAY", "smtp+starttls://listserver:geheim@mx.example.org:587")
    monkeypatch.setenv("LISTSERVER_DATABASE_URL", "postgresql+psycopg://listserver:geheim@db.example.org/lists")
    monkeypatch.setenv("LISTSERVER_SECRET_KEY", "geheim-geheim-geheim")
    assert main(["config", "--json"]) == 0
    out = capsys.readouterr().out
    assert "geheim" not in out
    shown = json.loads(out)
    assert shown["relay"] == "smtp+starttls://mx.example.org:587"
    assert shown["database_url"] == "postgresql+psycopg://listserver:***@db.example.org/lists"
    assert shown["max_message_bytes"] == 25_000_000
