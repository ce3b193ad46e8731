"""Odd mail, one phenomenon a file: the whole reading is right, and turns wrong when the code for it is taken away."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail import automatic, bodytext, dsn, parse, subject
from listserver.mail.address import Mailbox

CORPUS = Path(__file__).parents[2] / "corpus"
FILES = sorted(CORPUS.glob("*.eml"))
GUARDS: dict[str, dict[str, str]] = tomllib.loads((CORPUS / "guards.toml").read_text(encoding="utf-8"))
OWN_LISTS = frozenset(("toolshare.lists.example.org",))
READERS = ("parse", "bodytext", "subject", "automatic")


def expected_of(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    return found


def read(raw: bytes, reverse_path: str, readers: Sequence[ModuleType]) -> dict[str, Any]:
    """The whole reading of a mail, in the form that the expectations have."""
    parse_, bodytext_, subject_, automatic_ = readers
    message = parse_.parse_message(raw)
    body = bodytext_.read_body(raw, message.header)
    signs = automatic_.read_signs(message.header, reverse_path, message.subject, OWN_LISTS, raw=raw)
    return {
        "message_id": message.ids.message_id,
        "in_reply_to": list(message.ids.in_reply_to),
        "references": list(message.ids.references),
        "author": _box(message.author),
        "to": [_box(each) for each in message.to],
        "cc": [_box(each) for each in message.cc],
        "subject": message.subject,
        "base_subject": subject_.base_subject(message.subject),
        "date": message.date.isoformat() if message.date else None,
        "text": body.text.split("\n"),
        "flowed": body.flowed,
        "attachments": [
            {"name": each.name, "content_type": each.content_type, "size": each.size, "inline": each.inline}
            for each in body.attachments
        ],
        "automatic": {
            "strong": list(signs.strong),
            "weak": list(signs.weak),
            "foreign_list": signs.foreign_list,
            "own_mark": signs.own_mark,
        },
        "defects": [*message.defects, *body.defects],
    }


def _box(mailbox: Mailbox | None) -> dict[str, str] | None:
    return None if mailbox is None else {"name": mailbox.name, "address": str(mailbox.address)}


class _Altered(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Loads one module from another source than its file's."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.source = source

    def find_spec(self, fullname: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.name else None

    def get_source(self, fullname: str) -> str:
        return self.source


@contextmanager
def without(guard: str) -> Iterator[list[ModuleType]]:
    """The readers as they would be without the code that a guard names: a second copy of the mail floor, changed in one place."""
    name = f"listserver.mail.{guard.partition('.')[0]}"
    source = Path(str(sys.modules[name].__file__)).read_text(encoding="utf-8")
    change = GUARDS[guard]
    assert source.count(change["old"]) == 1, f"{guard}: what it names stands {source.count(change['old'])} times in {name}"
    package = sys.modules["listserver"]
    floor = sys.modules["listserver.mail"]
    kept = {each: sys.modules.pop(each) for each in list(sys.modules) if each.startswith("listserver.mail")}
    finder = _Altered(name, source.replace(change["old"], change["new"]))
    sys.meta_path.insert(0, finder)
    try:
        yield [importlib.import_module(f"listserver.mail.{each}") for each in READERS]
    finally:
        sys.meta_path.remove(finder)
        for each in [each for each in sys.modules if each.startswith("listserver.mail")]:
            del sys.modules[each]
        sys.modules.update(kept)
        package.mail = floor  # type: ignore[attr-defined]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_whole_reading_is_right(file: Path) -> None:
    """Each file of the corpus is read as a careful mail engineer would read it."""
    expected = expected_of(file)

    reading = read(file.read_bytes(), expected["reverse_path"], (parse, bodytext, subject, automatic))

    assert reading == expected["reading"], expected["phenomenon"]


@pytest.mark.parametrize("guard", sorted(GUARDS))
def test_a_file_turns_red_without_its_code(guard: str) -> None:
    """With the named code taken away, every file that guards it is read wrongly, or not at all."""
    guarded = [(file, expected) for file in FILES if (expected := expected_of(file))["guards"] == guard]
    assert guarded, "a guard that no file needs"
    still_right = []
    with without(guard) as readers:
        for file, expected in guarded:
            try:
                reading = read(file.read_bytes(), expected["reverse_path"], readers)
            except Exception:  # noqa: BLE001  # not to read it at all is wrong, too
                continue
            if reading == expected["reading"]:
                still_right.append(file.stem)

    assert still_right == []


def test_every_file_names_a_guard() -> None:
    """Files, expectations and guards belong together, and there are enough of them."""
    assert {file.stem for file in FILES} == {file.stem for file in CORPUS.glob("*.json")}
    assert {expected_of(file)["guards"] for file in FILES} == set(GUARDS)
    assert len(FILES) >= 80


def test_git_keeps_the_line_ends_of_the_corpus() -> None:
    """No checkout may turn CRLF into LF in a file whose line ends are what it is about."""
    if subprocess.run(["git", "rev-parse"], cwd=CORPUS, capture_output=True, check=False).returncode:
        pytest.skip("not a git checkout")
    shown = subprocess.run(
        ["git", "check-attr", "text", "--", FILES[0].name], cwd=CORPUS, capture_output=True, text=True, check=True
    )

    assert shown.stdout.strip().endswith("text: unset")


@st.composite
def mutated_mail(draw: st.DrawFn) -> bytes:
    """A file of the corpus with pieces cut out, doubled, exchanged with another's, and octets changed."""
    raw = bytearray(draw(st.sampled_from(FILES)).read_bytes()[:20_000])
    for _change in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(raw)))
        end = min(len(raw), start + draw(st.integers(0, 200)))
        match draw(st.integers(0, 3)):
            case 0:
                del raw[start:end]
            case 1:
                raw[start:start] = raw[start:end]
            case 2:
                other = draw(st.sampled_from(FILES)).read_bytes()
                raw[start:end] = other[start : start + 400]
            case _:
                raw[start:end] = draw(st.binary(max_size=20))
    return bytes(raw)


@given(mutated_mail())
def test_mutations_of_the_corpus_never_raise(raw: bytes) -> None:
    """Whatever happened to a mail on its way, it is read, within the limits."""
    reading = read(raw, "gwen@example.net", (parse, bodytext, subject, automatic))
    report = dsn.read_report(raw, parse.parse_message(raw).header)

    text = "\n".join(reading["text"])
    assert len(text) <= bodytext.MAX_TEXT
    assert text.isprintable() or not any(c < " " and c not in "\n\t" for c in text)
    assert "\n" not in reading["subject"]
    assert report is None or report.recipients
