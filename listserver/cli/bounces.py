"""`listserver bounces`: whose mail comes back, and what we would make of a mail that did."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from listserver.cli.context import JsonOption, context_of, print_json, print_table, say
from listserver.errors import ConfigError
from listserver.flows import reach
from listserver.mail.headers import read_header
from listserver.mail.returned import read_returned

app = typer.Typer(help="Whose mail comes back.", no_args_is_help=True)


@app.command("ls")
def ls(context: typer.Context, alist: Annotated[str, typer.Argument(metavar="LIST")], as_json: JsonOption = False) -> None:
    """Show the members whose mail comes back. Example: listserver bounces ls toolshare"""
    shared = context_of(context)
    found = shared.get_list(alist)
    with shared.site.database.read() as connection:
        rows = reach.describe_all(connection, found, shared.site.now())
    if as_json:
        print_json({"list": found.address, "bounces": rows})
        return
    print_table(
        ["address", "state", "score", "returned", "because", "paused", "next"],
        [(r["address"], r["state"], r["score"], r["returned"], r["reason"], r["paused_at"], r["next_at"]) for r in rows],
    )
    if not rows:
        say("Nobody's.")


@app.command("read")
def read(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="Files of one mail each; - is standard input.")],
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="As if it had not come to a return-path of ours: only what looks like a machine's.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what would be made of a mail that came back; nothing is done. Example: listserver bounces read returned.eml"""
    rows = [_describe(path, expected=not unsigned) for path in paths]
    if as_json:
        print_json({"read": rows})
    else:
        print_table(
            ["file", "weight", "because", "status", "about", "read by", "what was said"],
            [
                (r["file"], r["weight"], r["reason"], r["status"], r["recipient"], r["read_by"], str(r["detail"])[:80])
                for r in rows
            ],
        )


def _describe(path: Path, *, expected: bool) -> dict[str, Any]:
    try:
        raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    found = read_returned(raw, read_header(raw), expected=expected, reverse_path="" if expected else None)
    if found is None:
        empty = dict.fromkeys(("reason", "status", "recipient", "detail", "read_by"), "")
        return {"file": str(path), "weight": None, **empty, "message_id": None}
    return {
        "file": str(path),
        "weight": found.weight.value,
        "reason": found.reason.value,
        "status": found.status,
        "recipient": found.recipient,
        "detail": found.detail,
        "read_by": found.read_by,
        "message_id": found.message_id,
    }
