"""Our own DKIM signatures on what leaves, checked by dkimpy as a receiver would."""

from __future__ import annotations

import base64
from email import message_from_bytes, policy
from pathlib import Path

import dkim
import pytest

from listserver.authentication.keys import Signing, make_keys, read_keys
from listserver.cli.main import main
from listserver.errors import ConfigError
from tests.acceptance.community import LIST, Community, community

HOST = "lists.example.org"


def _keys(folder: Path) -> str:
    return ",".join(f"{selector}={path}" for selector, path in make_keys(folder))


def _records(setting: str) -> dict[bytes, bytes]:
    signers = Signing(read_keys(setting)).signers(HOST)
    return {f"{signer.record_name}.".encode(): signer.record.encode() for signer in signers}


def _wire(one: Community, address: str) -> list[bytes]:
    return [copy.head + copy.body.raw for copy in one.transport.sent if copy.recipient == address]


def _verdicts(raw: bytes, records: dict[bytes, bytes]) -> list[bool]:
    """Every DKIM-Signature of ours, checked one by one."""
    count = message_from_bytes(raw, policy=policy.default).get_all("DKIM-Signature", [])
    return [dkim.DKIM(raw).verify(idx=index, dnsfunc=lambda name, timeout=5: records.get(name)) for index in range(len(count))]


async def test_mails_that_we_write_carry_both_signatures(tmp_path: Path) -> None:
    """A welcome is signed with RSA and Ed25519 for the list's domain, with both unsubscribe fields under the signature."""
    setting = _keys(tmp_path)
    async with community(tmp_path, parts=("smtp", "deliver"), dkim_keys=setting) as one:
        await one.write("gwen@example.net", to="toolshare-join@lists.example.org", subject="", text="\n")
        question = one.mails_to("gwen@example.net")[0]
        await one.write("gwen@example.net", to=question["Reply-To"].addresses[0].addr_spec, text="\n")
        await one.write("ruth@example.net")
        asked, welcome, post = _wire(one, "gwen@example.net")
    records = _records(setting)
    assert _verdicts(asked, records) == [True, True]
    assert _verdicts(welcome, records) == [True, True]
    assert _verdicts(post, records) == []
    fields = message_from_bytes(welcome, policy=policy.default)["DKIM-Signature"]
    names = fields.split("h=")[1].split(";")[0].replace(" ", "").replace("\t", "").split(":")
    assert {"list-unsubscribe", "list-unsubscribe-post", "from", "to", "subject", "list-id"} <= set(names)
    assert f"d={HOST};" in fields
    tampered = welcome.replace(b"List-Unsubscribe-Post: List-Unsubscribe=One-Click", b"List-Unsubscribe-Post: no")
    assert _verdicts(tampered, records) == [False, False]


async def test_copies_are_signed_when_asked(tmp_path: Path) -> None:
    """`DKIM_SIGN=all`: each copy's own way to leave is under its signature, and the author's bytes stay as they were."""
    setting = _keys(tmp_path)
    async with community(tmp_path, parts=("smtp", "deliver"), dkim_keys=setting, dkim_sign="all") as one:
        one.join("gwen@example.net", "tom@example.net")
        raw = (
            b"From: Ruth <ruth@example.net>\r\nTo: toolshare@lists.example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
            b"Message-ID: <x@example.net>\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            b"Gr\xc3\xbc\xc3\x9fe  \r\n.\r\n.. dots\r\n\r\n\r\n"
        )
        await one.send("ruth@example.net", LIST, raw)
        records = _records(setting)
        copies = [copy for address in ("gwen@example.net", "tom@example.net") for copy in _wire(one, address)]
    assert len(copies) == 2
    assert copies[0] != copies[1]
    for copy in copies:
        assert _verdicts(copy, records) == [True, True]
        assert copy.endswith(raw.partition(b"\r\n\r\n")[2])


async def test_a_digest_is_signed(tmp_path: Path) -> None:
    """A digest is a mail that we write."""
    from listserver.flows import digest

    setting = _keys(tmp_path)
    async with community(tmp_path, parts=("smtp", "deliver"), dkim_keys=setting) as one:
        one.join("dilys@example.net", delivery="digest")
        await one.write("ruth@example.net")
        one.clock.moment = one.clock.moment.replace(day=3)
        digest.send_due(one.site)
        one.service.outbox.wake()
        await one.settled()
        (raw,) = _wire(one, "dilys@example.net")
    assert _verdicts(raw, _records(setting)) == [True, True]


def test_the_record_holds_what_is_published(tmp_path: Path) -> None:
    """The TXT record that doctor prints is of the form of RFC 6376 §3.6.1 and RFC 8463 §4."""
    rsa, ed25519 = Signing(read_keys(_keys(tmp_path))).signers(HOST)
    assert rsa.record_name == f"rsa._domainkey.{HOST}"
    assert rsa.record.startswith("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A")
    assert len(base64.b64decode(ed25519.record.removeprefix("v=DKIM1; k=ed25519; p="))) == 32


def test_keys_are_made_once_and_kept_private(tmp_path: Path) -> None:
    """Making keys again keeps those that are there; nobody else can read them."""
    first = [(path, path.read_bytes()) for _selector, path in make_keys(tmp_path)]
    assert [(path, path.read_bytes()) for _selector, path in make_keys(tmp_path)] == first
    assert {path.stat().st_mode & 0o777 for path, _pem in first} == {0o600}


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("rsa", "expected selector=PATH"),
        ("rsa=/nowhere.pem", "cannot read /nowhere.pem"),
        ("=/etc/passwd", "expected selector=PATH"),
        ("bad selector=/etc/passwd", "expected selector=PATH"),
        ("rsa=/etc/passwd", "no private key"),
        ("a=KEY,A=KEY", "each selector goes with one key"),
    ],
)
def test_a_bad_setting_is_explained(
    setting: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the setting, and exit 2."""
    (_selector, path), _other = make_keys(tmp_path)
    setting = setting.replace("KEY", str(path))
    with pytest.raises(ConfigError, match=words):
        read_keys(setting)
    monkeypatch.setenv("LISTSERVER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LISTSERVER_DKIM_KEYS", setting)
    assert main(["list", "ls"]) == 2
    assert "LISTSERVER_DKIM_KEYS" in capsys.readouterr().err
