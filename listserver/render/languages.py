"""Language files: the words that people write (`mail/<lang>/words.toml`), read once. Adding a language adds a file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from listserver.errors import ConfigError
from listserver.lists.vocabulary import Language, Meaning, Vocabulary
from listserver.render.environment import bundled


def read_vocabulary(folder: Path | None = None) -> Vocabulary:
    """Every language's words. Raises: ConfigError, naming the file, for one that cannot be read or clashes with another."""
    try:
        return Vocabulary(_languages(folder or bundled()))
    except ValueError as error:
        raise ConfigError(f"templates: {error}") from error


def _languages(folder: Path) -> Iterator[Language]:
    for file in sorted(folder.glob("mail/*/words.toml")):
        try:
            found: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
            yield Language(
                code=file.parent.name,
                names=tuple(found["names"]),
                words={Meaning(name): tuple(words) for name, words in found["words"].items()},
                phrases={name: tuple(phrases) for name, phrases in found["phrases"].items()},
                values={name: tuple(values) for name, values in found["values"].items()},
            )
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"{file.parent.name}/{file.name}: {error}") from error
