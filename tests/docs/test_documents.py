"""The documents are true: settings, commands, standards."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from listserver.cli.main import app, main
from listserver.config import Settings

ROOT = Path(__file__).parents[2]


def test_the_example_settings_are_the_settings() -> None:
    """`.env.example` names every setting once, in their order, with its default."""
    lines = [line for line in (ROOT / ".env.example").read_text().splitlines() if "LISTSERVER_" in line]
    named = [re.match(r"# ?LISTSERVER_([A-Z_]+)=(.*)", line) for line in lines]
    assert all(named), lines
    assert [match[1].lower() for match in named if match] == list(Settings.model_fields)
    defaults = {match[1].lower(): match[2] for match in named if match}
    assert defaults["smtp_listen"] == Settings.model_fields["smtp_listen"].default
    assert defaults["max_message_bytes"] == str(Settings.model_fields["max_message_bytes"].default)


def test_every_rfc_in_the_code_is_in_the_index() -> None:
    """Each RFC that a docstring cites is listed with its extent, and each module listed exists."""
    index = (ROOT / "docs" / "rfc-index.md").read_text()
    listed = {int(number) for number in re.findall(r"^\| (\d{3,4}) \|", index, re.M)}
    cited = {
        int(number) for path in (ROOT / "listserver").rglob("*.py") for number in re.findall(r"RFC (\d{3,4})", path.read_text())
    }
    cited |= {
        int(n)
        for path in (ROOT / "listserver").rglob("*.py")
        for group in re.findall(r"RFC \d{3,4}((?:, \d{4})+)", path.read_text())
        for n in re.findall(r"\d{4}", group)
    }
    assert cited - listed == set()
    for module in re.findall(r"`([a-z_]+/[a-z_]+\.py)`", index):
        assert (ROOT / "listserver" / module).is_file(), module


def _commands(command: object, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], object]]:
    children = getattr(command, "commands", None)
    if not children:
        return [(path, command)]
    return [found for name, child in children.items() for found in _commands(child, (*path, name))]


@pytest.mark.parametrize(
    ("path", "command"),
    _commands(typer.main.get_command(app)),
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_every_command_has_help_with_an_example(path: tuple[str, ...], command: object) -> None:
    """The help says what a command does and shows one real call of it."""
    text = " ".join((getattr(command, "help", "") or "").split())
    assert f"Example: listserver {' '.join(path)}" in text, text


def test_readme_links_lead_somewhere() -> None:
    """Every relative link in the README exists."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["list", "show", "nowhere"], 2, "there is no list nowhere"),
        (["list", "create", "not an address"], 2, "is not an email address"),
        (["held", "approve", "77"], 2, "held ls"),
        (["nonsense"], 2, "nonsense"),
        (["digest", "send", "--at", "tomorrow"], 2, "write it like"),
    ],
)
def test_bad_input_gets_one_line(
    arguments: list[str],
    status: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line on standard error that says what to do, and exit 2."""
    monkeypatch.setenv("LISTSERVER_DATA_DIR", str(tmp_path))
    assert main(arguments) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert words in captured.err


def test_a_bad_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The variable and what was expected, not the value."""
    monkeypatch.setenv("LISTSERVER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LISTSERVER_AUTHENTICATION", "sometimes")
    assert main(["config"]) == 2
    message = capsys.readouterr().err
    assert "LISTSERVER_AUTHENTICATION" in message
    assert "sometimes" not in message


def test_the_commands_in_the_documents_exist() -> None:
    """Every `listserver …` in code of the documents names commands that there are."""
    known = {path for path, _command in _commands(typer.main.get_command(app))}
    nouns = {path[0] for path in known if len(path) > 1}
    for document in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        text = document.read_text()
        code = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.S) + re.findall(r"`([^`\n]+)`", text))
        for first, second in re.findall(r"(?:^|[/;&|`(] ?|\n|-- )listserver (?!listserver|\d)([a-z]+)(?: ([a-z]+))?", code, re.M):
            assert ((first, second) if first in nouns else (first,)) in known, (document.name, first, second)
