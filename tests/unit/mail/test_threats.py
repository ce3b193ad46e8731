"""What mail does to its readers on purpose, one test a threat; `docs/security.md` lists them all, by these names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import listserver
from listserver.mail.address import format_mailbox, parse_address, read_author
from listserver.mail.bodytext import read_body
from listserver.mail.charsets import decode_bytes
from listserver.mail.compose import compose
from listserver.mail.headers import decode_text, edit, read_header, write_field
from listserver.mail.listfields import ListIdentity, list_fields, unsubscribe_fields
from listserver.mail.mime import clean_name

BAD = ["x\r\nBcc: victim@example.com", "x\nBcc: victim@example.com", "x\rBcc: victim@example.com", "x\x00y"]
SOURCE = Path(listserver.__file__).parent


def identity(name: str) -> ListIdentity:
    """A list of this name."""
    at = "@lists.example.org"
    return ListIdentity(
        name=name, list_id="t.lists.example.org", post="t" + at, join="t-join" + at, help="t-help" + at, owner="t-owner" + at
    )


@pytest.mark.parametrize("text", BAD)
def test_no_text_becomes_a_second_field(text: str) -> None:
    """Subject, list name, display name, address, link: each writer refuses CR, LF and NUL."""
    for write in (
        lambda: write_field("Subject", text),
        lambda: write_field(text, "x"),
        lambda: format_mailbox(text, "gwen@example.net"),
        lambda: format_mailbox("Gwen", text),
        lambda: list_fields(identity(text)),
        lambda: list_fields(identity("Tools"), archived_at=f"https://lists.example.org/{text}"),
        lambda: unsubscribe_fields(text),
        lambda: unsubscribe_fields("t-leave@lists.example.org", f"https://lists.example.org/{text}"),
        lambda: compose([("Subject", text)], "Hello."),
    ):
        with pytest.raises(ValueError, match=r"line end|field name|NUL"):
            write()


@pytest.mark.parametrize(
    "word", [b"=?utf-8?Q?x=0D=0ABcc:_v=40example.com?=", b"=?utf-8?B?eA0KQmNjOiB2QGV4YW1wbGUuY29t?=", b"x\r\n\tBcc: v"]
)
def test_what_is_read_can_be_written_again(word: bytes) -> None:
    """Decoded subjects and names hold no line end, so a notice that quotes them is written, not refused."""
    name = read_author(read_header(b"From: " + word + b" <gwen@example.net>\r\n"))
    text = decode_text(word)

    assert read_header(write_field("Subject", text)).count("bcc") == 0
    assert len(read_header(write_field("Subject", text)).fields) == 1
    assert name is None or "\n" not in format_mailbox(name.name, str(name.address))


@pytest.mark.parametrize(
    "text",
    ["gwen@example.net\r\n", "gwen@example.net\x00", "<gwen@example.net>", "@relay.example.com:gwen@example.net", "gwen@example.net@x.example",
     "gwen @example.net", "gwen@exa mple.net", "gwen@example..net", ".gwen@example.net", "gwen\u202e@example.net", "gwen@", "@example.net",
     "a" * 65 + "@example.net", "gwen(x)@example.net", "gwen@[300", "gwen@-example.net", "gwen@example.net,tom@example.net"],
)  # fmt: skip
def test_identity_is_read_by_a_strict_parser(text: str) -> None:
    """Whatever two programs might read as two people is nobody's address."""
    assert parse_address(text) is None


def test_no_label_runs_a_codec_that_is_no_charset() -> None:
    """zip bombs, rot13, UTF-7 and Python's escapes are not text encodings: their octets stay what they are."""
    bomb = b"x\x9cc`\x18\x05\xa3`\x14\x0c\x10"

    for label in ("zlib", "bz2", "rot13", "hex", "uu", "unicode_escape", "utf-7", "idna", "punycode"):
        assert decode_bytes(b"+ADw-script+AD4- \\x41", label) == "+ADw-script+AD4- \\x41"
        assert len(decode_bytes(bomb, label)) == len(bomb)


@pytest.mark.parametrize(
    "name", ["../../etc/cron.d/x", "..\\..\\autoexec.bat", "/etc/passwd", "C:\\x", "x\x00.txt", "a\r\nb", "=?utf-8?q?..=2Fx?="]
)
def test_a_files_name_is_no_path(name: str) -> None:
    """Names of attachments are text to show: no folder, no line end, no NUL."""
    shown = clean_name(name)

    assert not set("/\\\r\n\x00") & set(shown)
    assert ".." not in shown


def test_attachments_are_never_unpacked() -> None:
    """An archive is a name and a size; what is in it, and how much that would be, is never looked at."""
    raw = b"Content-Type: application/zip; name=bomb.zip\r\nContent-Transfer-Encoding: base64\r\n\r\nUEsDBBQAAAAIAA==\r\n"

    body = read_body(raw, read_header(raw))

    assert [(each.name, each.size) for each in body.attachments] == [("bomb.zip", 10)]
    assert body.text == ""


def imports(folder: str) -> Iterator[tuple[str, str]]:
    """Each module that a floor imports, with the file that does."""
    for file in sorted((SOURCE / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((file.name, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield file.name, node.module
                yield from ((file.name, f"{node.module}.{alias.name}") for alias in node.names)


def test_no_unpacker_is_within_reach_of_mail() -> None:
    """The floors that read mail import nothing that decompresses or opens archives."""
    found = [each for folder in ("mail", "lists") for each in imports(folder)]

    assert found
    assert [
        each
        for each in found
        if each[1].split(".")[0] in ("zlib", "gzip", "bz2", "lzma", "zipfile", "tarfile", "shutil", "pickle")
    ] == []


def test_incoming_mail_never_meets_pythons_header_parser() -> None:
    """`email.policy.default` is quadratic on commas and semicolons: nothing of the service imports it, but the demonstration."""
    found = [
        each
        for each in imports(".")
        if each[1] in ("email.policy", "email.parser", "email.headerregistry", "email.policy.default")
    ]

    assert {file for file, _module in found} <= {"known_forms.py", "demo.py"}


def test_the_original_is_never_serialised_anew() -> None:
    """Odd spacing, bare line feeds, raw octets: a splice that adds a field leaves every other byte alone."""
    raw = b"SUBJECT : \xff  odd \r\n\t folded\nX:y\r\n\r\nbody\r\n \r\n\n\x80"

    assert edit(raw, read_header(raw), append=b"List-Id: <t>\r\n") == raw.replace(b"X:y\r\n", b"X:y\r\nList-Id: <t>\r\n")
