"""The command line: one command a verb, one module a noun.

Bad input gets one line on standard error and exit 2, a failure of ours exit 1, "try again later" exit 75.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError
from typer.exceptions import TyperException

from listserver import maillog, server
from listserver.cli import (
    archive,
    bounces,
    database,
    demo,
    digests,
    doctor,
    held,
    init,
    lists,
    members,
    outbox,
    service,
    threads,
)
from listserver.cli.context import Context, JsonOption, context_of, print_json, print_table
from listserver.errors import ListserverError, TryAgainLater
from listserver.lists.model import OptionError

app = typer.Typer(
    name="listserver",
    help="An email mailing-list discussion service: one process, one file, conversations and daily digests.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(lists.app, name="list")
app.add_typer(members.app, name="member")
app.add_typer(threads.app, name="thread")
app.add_typer(held.app, name="held")
app.add_typer(bounces.app, name="bounces")
app.add_typer(digests.app, name="digest")
app.add_typer(outbox.app, name="queue")
app.add_typer(archive.app, name="archive")
app.add_typer(database.app, name="database")
app.command("serve")(service.serve)
app.command("deliver")(service.deliver)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("init")(init.init)


@app.command("config")
def config(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show the effective settings, secrets masked. Example: listserver config --json"""
    settings = context_of(context).settings
    values = {name: _shown(getattr(settings, name)) for name in type(settings).model_fields} | {
        "database_url": make_url(settings.database_address).render_as_string(hide_password=True),
        "relay": server.without_password(settings.relay_address),
        "admin": settings.administrator,
    }
    if as_json:
        print_json(values)
    else:
        print_table(["setting", "value"], [(f"LISTSERVER_{name.upper()}", value) for name, value in values.items()])


def _shown(value: object) -> object:
    if isinstance(value, tuple):
        return ",".join(str(each) for each in value)
    return value if isinstance(value, int) else str(value)


@app.callback(invoke_without_command=True)
def root(context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    """An email mailing-list discussion service."""
    if version:
        from importlib.metadata import version as version_of

        sys.stdout.write(f"listserver {version_of('listserver')}\n")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    context = Context(open_site=server.open_site)
    maillog.configure("text", "warning")  # to standard error: what a command says on standard output is its answer
    try:
        result = app(
            args=list(arguments) if arguments is not None else None, standalone_mode=False, obj=context, prog_name="listserver"
        )
        return result if isinstance(result, int) else 0
    except TyperException as error:
        return _complain(error.format_message() or "give one of its commands; --help shows them", getattr(error, "exit_code", 2))
    except TryAgainLater as error:
        return _complain(str(error), 75)
    except (ListserverError, OptionError) as error:
        return _complain(str(error), 2)
    except DBAPIError as error:
        return _complain(*_of_database(error))
    except (KeyboardInterrupt, BrokenPipeError, typer.Abort):
        return 130
    except Exception as error:  # noqa: BLE001 - the one catch-all of this door: a sentence, never a traceback
        return _complain(f"listserver failed: {type(error).__name__}: {error}", 1)
    finally:
        context.close()


def _of_database(error: DBAPIError) -> tuple[str, int]:
    """What to say of a database that does not answer, is busy, or is none; and whether to try again."""
    words = str(error.orig)
    if "locked" in words:
        return "the database is busy: try again in a moment", 75
    if "connection" in words and ("refused" in words or "failed" in words or "closed" in words):
        return f"the database does not answer: {words}", 75
    if "no such table" in words or "does not exist" in words:
        return "the database's tables are not up to date: run `listserver database upgrade` once", 2
    return f"the database failed: {words}", 1


def _complain(text: str, status: int) -> int:
    sys.stderr.write("listserver: " + " ".join(text.split()) + "\n")
    return status


def run() -> None:
    """The console script."""
    sys.exit(main())


if __name__ == "__main__":
    run()
