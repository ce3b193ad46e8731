"""`listserver archive`: bring archives in, take them out, and look for words."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from listserver import server
from listserver.cli.context import JsonOption, context_of, print_json, say
from listserver.errors import ListserverError, TryAgainLater
from listserver.flows import finding, transfer
from listserver.flows.mailfiles import MailFiles
from listserver.flows.site import Site

app = typer.Typer(help="Bring archives in, take them out, and look for words.", no_args_is_help=True)

ListName = Annotated[str, typer.Argument(metavar="LIST")]
_BREATHER = 0.02  # seconds between batches, in which a running service writes


@app.command("import")
def import_(
    context: typer.Context,
    alist: ListName,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="mbox, mbox.gz, Maildir, .eml, or a folder of them.")],
    as_json: JsonOption = False,
) -> None:
    """Make posts of archived mail; nothing is sent to anyone. It can be repeated, and goes on where it was stopped.

    Example: listserver archive import toolshare toolshare.mbox.gz
    """
    shared = context_of(context)
    found = shared.get_list(alist)
    lock = _take_charge(shared.site)
    try:
        with _bar() as bar:
            task = bar.add_task("", total=None)

            def show(files: MailFiles, done: transfer.Imported) -> None:
                bar.update(task, total=files.size, completed=files.read, description=f"{done.imported} imported")

            done = transfer.import_mail(
                shared.site,
                found,
                paths,
                workers=os.cpu_count() or 1,
                breather=0 if lock is not None or not shared.site.database.is_sqlite else _BREATHER,
                progress=show,
            )
    finally:
        if lock is not None:
            lock.release()
    for problem in done.problems:
        sys.stderr.write(f"set aside: {problem}\n")
    if as_json:
        print_json(
            {name: getattr(done, name) for name in ("read", "imported", "skipped", "quarantined", "seconds", "roots", "linked")}
        )
        return
    rate = done.imported / done.seconds if done.seconds else 0
    say(
        f"Read {done.read}: imported {done.imported}, known already {done.skipped}, set aside {done.quarantined}; "
        f"{done.seconds:.1f} s, {rate:.0f} posts a second."
    )
    links = ", ".join(f"{count} by {kind}" for kind, count in sorted(done.linked.items(), key=lambda item: -item[1]))
    say(f"{done.roots} start a conversation; {links or 'nothing is linked'}.")


def _take_charge(site: Site) -> server.OnlyOne | None:
    """Be the service while none runs, so that the write-ahead log does not grow; beside a running one, be modest."""
    try:
        lock = server.OnlyOne(site.database)
    except TryAgainLater:
        return None
    site.database.take_charge()
    return lock


def _bar() -> Progress:
    console = Console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TextColumn("{task.description}"), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@app.command("export")
def export(
    context: typer.Context,
    alist: ListName,
    mbox: Annotated[Path, typer.Option("--mbox", help="The file to write (mboxrd); it must not exist yet.")],
) -> None:
    """Write all posts into one mbox file, byte for byte as they came. Example: listserver archive export toolshare --mbox all.mbox"""
    shared = context_of(context)
    found = shared.get_list(alist)
    try:
        with mbox.open("xb") as handle:
            count = transfer.export_mbox(shared.site, found, handle)
    except FileExistsError as error:
        raise ListserverError(f"{mbox} exists already: name a new file") from error
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise ListserverError(f"{mbox} cannot be written: {error.strerror}") from error
    say(f"{count} posts.")


@app.command("search")
def search(
    context: typer.Context,
    alist: ListName,
    query: Annotated[list[str], typer.Argument(metavar="QUERY", help='Words, "a phrase", -without, begin*.')],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many posts, the newest.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Find posts by their words, newest first. Example: listserver archive search toolshare 'ladder "hot water" -broken'"""
    shared = context_of(context)
    found = shared.get_list(alist)
    finding.bring_up_to_date(shared.site, found)
    asked = " ".join(query)
    posts = finding.find_posts(shared.site, found, asked, limit=limit)
    if as_json:
        print_json({"list": found.address, "query": asked, "posts": posts})
        return
    for post in posts:
        say(f"#{post['number']} {post['date']:%Y-%m-%d} {post['author']['name'] or post['author']['address']}: {post['subject']}")
        say(f"    {post['excerpt']}")
    if not posts:
        say("Nothing found.")
