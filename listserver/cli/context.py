"""What every command shares: settings, the site opened once, and how results are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

import typer

from listserver.config import Settings, load_settings
from listserver.flows.site import Site
from listserver.lists.model import MailingList
from listserver.store import lists

LARGEST_ID = 2**63 - 1  # what both databases keep
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


@dataclass
class Context:
    """Opened lazily, because `--help` and `config` must work without a database."""

    open_site: Callable[[Settings], Site]
    settings_of: Callable[[], Settings] = load_settings
    _settings: Settings | None = field(default=None)
    _site: Site | None = field(default=None)

    @property
    def settings(self) -> Settings:
        """The settings, read at first use."""
        if self._settings is None:
            self._settings = self.settings_of()
        return self._settings

    @property
    def site(self) -> Site:
        """The site with its database, opened at first use."""
        if self._site is None:
            self._site = self.open_site(self.settings)
        return self._site

    def get_list(self, name: str) -> MailingList:
        """The list with this address or local part. Raises: NotFound."""
        with self.site.database.read() as connection:
            return lists.get(connection, name)

    def close(self) -> None:
        """Close the database, if it was opened."""
        if self._site is not None:
            self._site.database.close()


def context_of(context: typer.Context) -> Context:
    """The shared context of a running command."""
    found = context.find_object(Context)
    if found is None:
        raise RuntimeError("a command was run outside main()")
    return found


def print_json(document: object) -> None:
    """One JSON document, nothing else."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, default=_plain) + "\n")


def print_json_list(head: Mapping[str, object], name: str, items: Iterable[object]) -> None:
    """One JSON document that ends with a list, written while its items are made, however many there are."""
    write = sys.stdout.write
    write(json.dumps(dict(head), ensure_ascii=False, default=_plain)[:-1] + f', "{name}": [')
    for number, item in enumerate(items):
        write((", " if number else "") + json.dumps(item, ensure_ascii=False, default=_plain))
    write("]}\n")


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table for people; plain columns when the output is no terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    if not rows:
        return
    console = Console(soft_wrap=not sys.stdout.isatty())
    table = Table(*columns, box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    for row in rows:
        table.add_row(*[_cell(value) for value in row])
    console.print(table)


def _cell(value: Any) -> str:
    from rich.markup import escape

    return escape("" if value is None else value.isoformat(" ", "minutes") if isinstance(value, datetime) else str(value))


def say(text: str) -> None:
    """One line for people."""
    sys.stdout.write(text + "\n")
