"""The command line as people and scripts meet it: results, JSON, help, and one line for whatever is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from listserver.cli.main import app, main
from listserver.config import Settings
from listserver.lists.model import ListOptions
from listserver.server import open_site
from listserver.store.members import OPTION_COLUMNS
from tests.fakes import FakeResolver
from tests.integration.desk import LIST, Desk, HandClock

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command in a folder of its own: (exit status, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"DATA_DIR": str(tmp_path / "data"), "AUTHENTICATION": "accept", "HOSTNAME": "lists.example.org"}.items():
        monkeypatch.setenv(f"LISTSERVER_{name}", value)

    def command(*arguments: str) -> tuple[int, str, str]:
        status = main(arguments)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return command


@pytest.fixture
def community(run: Run, tmp_path: Path) -> Run:
    """A list with four people, three posts, one that is held and one that came twice."""
    assert run("list", "create", LIST, "--name", "Tool Share", "--owner", "ruth@example.net", "--set", "bcc_posts=post")[0] == 0
    assert run("member", "add", "toolshare", "gwen@example.net", "tom@example.net")[0] == 0
    assert run("member", "add", "toolshare", "dilys@example.net", "--deliver", "digest", "--timezone", "Europe/London")[0] == 0
    desk = _desk(tmp_path)
    desk.write(Message_ID="<a@x>")
    desk.write("tom@example.net", Message_ID="<b@x>", In_Reply_To="<a@x>")
    desk.write(Message_ID="<c@x>", In_Reply_To="<never@x>", subject="Damp")
    desk.write(Message_ID="<a@x>")
    desk.write(Message_ID="<spam@x>", X_Spam_Flag="YES")
    desk.site.database.close()
    return run


def _desk(folder: Path) -> Desk:
    settings = Settings(data_dir=folder / "data", authentication="accept", hostname="lists.example.org", _env_file=None)  # type: ignore[call-arg]
    clock = HandClock()
    return Desk(open_site(settings, clock=clock), clock, FakeResolver())


def _json(run: Run, *arguments: str) -> Any:
    """A command's one document; nothing else stands on standard output."""
    status, out, err = run(*arguments, "--json")
    assert (status, err) == (0, ""), err
    return json.loads(out)


# -- results -----------------------------------------------------------------------------------------------------


def test_a_list_from_its_making_to_its_end(run: Run) -> None:
    """create, ls, show, set, remove."""
    assert run("list", "ls")[1].startswith("There is no list yet.")
    run("list", "create", LIST, "--description", "Neighbours lend tools.", "--set", "digest_at=18:00")
    shown = _json(run, "list", "show", "toolshare")
    assert set(shown) == {"address", "members", *ListOptions().to_text()}
    assert (shown["address"], shown["digest_at"], shown["description"]) == (LIST, "18:00", "Neighbours lend tools.")
    assert run("list", "set", "toolshare", "post=anyone", "timezone=europe/london")[0] == 0
    assert [(each["post"], each["timezone"]) for each in _json(run, "list", "ls")["lists"]] == [("anyone", "Europe/London")]
    assert run("list", "remove", "toolshare")[0] == 2
    assert run("list", "remove", "toolshare", "--yes")[0] == 0
    assert _json(run, "list", "ls") == {"lists": []}


def test_members(run: Run, tmp_path: Path) -> None:
    """add by hand and from a file, ls, show, set, remove; every option by its name."""
    run("list", "create", LIST)
    people = tmp_path / "people.csv"
    people.write_text("address,name\nana@example.com,Ana Sousa\n\n  Ben@Example.com , Ben\n", encoding="utf-8-sig")
    assert run("member", "add", "toolshare", "gwen@example.net", "--file", str(people))[1] == "Added 3.\n"
    assert run("member", "add", "toolshare", "GWEN@example.net")[1] == "Added 0; 1 were members already.\n"
    found = _json(run, "member", "ls", "toolshare")["members"]
    assert [(each["address"], each["name"]) for each in found] == [
        ("gwen@example.net", ""),
        ("ana@example.com", "Ana Sousa"),
        ("Ben@Example.com", "Ben"),
    ]
    assert set(found[0]) == {"address", "state", "since", *OPTION_COLUMNS}
    assert run("member", "set", "toolshare", "ana@example.com", "delivery=digest", "name=Ana S.")[0] == 0
    shown = _json(run, "member", "show", "toolshare", "ANA@example.com")
    assert (shown["delivery"], shown["name"], shown["state"]) == ("digest", "Ana S.", "active")
    assert run("member", "remove", "toolshare", "ana@example.com", "nobody@example.com")[0] == 2
    assert run("member", "show", "toolshare", "ana@example.com")[0] == 0
    assert run("member", "remove", "toolshare", "ana@example.com", "ben@example.com")[1] == "Removed 2.\n"
    assert len(_json(run, "member", "ls", "toolshare")["members"]) == 1


def test_a_welcome_only_when_asked_for(run: Run) -> None:
    """`member add` is silent without --welcome."""
    run("list", "create", LIST)
    run("member", "add", "toolshare", "gwen@example.net")
    assert _json(run, "queue", "ls")["queued"] == 0
    run("member", "add", "toolshare", "tom@example.net", "--welcome")
    assert _json(run, "queue", "ls")["queued"] == 1


def test_conversations(community: Run) -> None:
    """ls, show and why, by number and by Message-ID, with the fields of the contract."""
    document = _json(community, "thread", "ls", "toolshare")
    assert document["list"] == LIST
    first, second = document["threads"]
    assert set(first) == {"id", "subject", "posts"}
    assert [(p["number"], p["message_id"], p["parent"], p["depth"]) for p in first["posts"]] == [
        (1, "<a@x>", None, 0),
        (2, "<b@x>", "<a@x>", 1),
    ]
    assert set(first["posts"][0]) == {"number", "message_id", "author", "date", "subject", "parent", "depth", "evidence"}
    assert first["posts"][1]["evidence"]["kind"] == "in-reply-to"
    assert datetime.fromisoformat(first["posts"][0]["date"]).utcoffset() is not None
    assert "<never@x>" in second["posts"][0]["evidence"]["detail"]
    assert _json(community, "thread", "show", "toolshare", "b@x") == first
    why = _json(community, "thread", "why", "toolshare", "2")
    assert why["candidates"][0]["message_id"] == "<a@x>"
    assert isinstance(why["quotes"], list)
    assert "In-Reply-To names #1" in community("thread", "why", "toolshare", "#2")[1]
    assert "a duplicate, not posted a second time" in community("thread", "why", "toolshare", "<a@x>")[1]
    assert "#2 " in community("thread", "show", "toolshare", "1")[1]


def test_held_posts(community: Run) -> None:
    """ls, and each decision; a decided post is held no more."""
    (held,) = _json(community, "held", "ls", "toolshare")["held"]
    assert held["reason"] == "a filter thought it might be unwanted"
    number = str(held["id"])
    assert community("held", "approve", number)[1] == "Posted as #4.\n"
    status, out, err = community("held", "discard", number)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert community("held", "ls")[1] == "Nothing waits.\n"


@pytest.mark.parametrize(("verb", "state"), [("reject", "rejected"), ("discard", "discarded")])
def test_held_posts_that_are_not_posted(community: Run, verb: str, state: str) -> None:
    """Given back with words, or thrown away without."""
    (held,) = _json(community, "held", "ls")["held"]
    before = _json(community, "queue", "ls")["queued"]
    assert community("held", verb, str(held["id"]), "--reason", "Please say which street")[0] == 0
    assert _json(community, "queue", "ls")["queued"] - before == (1 if verb == "reject" else 0)
    assert _json(community, "database", "check")["states"][state] == 1


def test_the_database_is_checked(community: Run) -> None:
    """accepted is the sum of the states, and `ok` says so."""
    document = _json(community, "database", "check")
    assert document["ok"]
    assert document["accepted"] == sum(document["states"].values()) == 5
    assert {state: n for state, n in document["states"].items() if n} == {"posted": 3, "duplicate": 1, "held": 1}
    assert "All is accounted for." in community("database", "check")[1]
    assert community("database", "upgrade")[1] == "The tables were up to date already.\n"


def test_the_database_check_can_fail(community: Run, tmp_path: Path) -> None:
    """A post whose original is gone is found: exit 1, and the words say what is wrong."""
    desk = _desk(tmp_path)
    desk.site.database.write(
        lambda c: c.exec_driver_sql("DELETE FROM original WHERE id = (SELECT original_id FROM post WHERE number = 1)")
    )
    desk.site.database.close()
    status, out, _err = community("database", "check", "--json")
    assert (status, json.loads(out)["ok"]) == (1, False)
    assert "posts without their original" in json.loads(out)["problems"][0]


def test_digests(community: Run) -> None:
    """preview changes nothing; send says what the clock did, and a second time there is nothing to do."""
    text = community("digest", "preview", "toolshare", "--for", "dilys@example.net", "--at", "2026-03-03T07:00+00:00")[1]
    assert text.startswith("Subject: Tool Share, Tue 3 March: ")
    at = (datetime.now(UTC) + timedelta(days=370)).isoformat()
    assert _json(community, "digest", "send", "toolshare", "--at", at) == {"due": 1, "queued": 1, "empty": 0, "posts": 3}
    assert _json(community, "digest", "send", "--at", at) == {"due": 0, "queued": 0, "empty": 0, "posts": 0}


def test_the_queue(community: Run) -> None:
    """ls counts, show names each recipient, hold and retry and drop move them."""
    counts = _json(community, "queue", "ls")
    assert set(counts) == {"queued", "sending", "retry", "hold", "failed", "ambiguous", "sent", "dropped", "oldest_seconds"}
    assert counts["queued"] == 9
    number = next(line.split()[0] for line in community("queue", "ls")[1].splitlines() if " post " in line and line[0].isdigit())
    shown = _json(community, "queue", "show", number)
    assert sorted(each["address"] for each in shown["deliveries"]) == ["gwen@example.net", "ruth@example.net", "tom@example.net"]
    assert community("queue", "hold", number)[1] == "On hold: 3.\n"
    assert _json(community, "queue", "ls")["hold"] == 3
    assert community("queue", "retry", number)[1] == "Queued again: 3.\n"
    assert community("queue", "drop", number)[1] == "Dropped: 3.\n"
    assert _json(community, "queue", "ls")["dropped"] == 3


def test_delivering_without_listening(community: Run, tmp_path: Path) -> None:
    """The outbox is worked until it is empty, into the folder of mails."""
    assert community("deliver", "--until-empty")[1] == "Delivered 9, to try again 0, failed 0.\n"
    assert len(list((tmp_path / "data" / "outgoing" / "new").iterdir())) == 9
    assert _json(community, "queue", "ls")["sent"] == 9


def test_settings_are_shown_without_secrets(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords and the key are masked, in text and JSON."""
    monkeypatch.setenv("LISTSERVER_RELAY", "smtp://me:geheim@relay.example.org")
    monkeypatch.setenv("LISTSERVER_SECRET_KEY", "geheim-geheim-geheim")
    monkeypatch.setenv("LISTSERVER_DATABASE_URL", "postgresql+psycopg://me:geheim@127.0.0.1/x")
    assert _json(run, "config")["authentication"] == "accept"
    assert "geheim" not in run("config")[1] + json.dumps(_json(run, "config"))


def test_an_option_without_effect_says_so(run: Run) -> None:
    """On standard error; it is kept all the same."""
    run("list", "create", LIST)
    status, _out, err = run("list", "set", "toolshare", "reminders=yes")
    assert status == 0
    assert err == "listserver: reminders is kept, but has no effect yet: no monthly reminder is sent yet\n"
    assert _json(run, "list", "show", "toolshare")["reminders"] == "yes"


# -- help --------------------------------------------------------------------------------------------------------------


def _commands(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command that there is, by walking the tree."""
    if hasattr(command, "commands"):
        return [found for name, child in command.commands.items() for found in _commands(child, (*path, name))]
    return [path]


@pytest.mark.parametrize("path", _commands(typer.main.get_command(app)), ids=" ".join)
def test_every_command_has_help_with_an_example(run: Run, path: tuple[str, ...]) -> None:
    """`--help` needs no database and no settings, and shows how the command is called."""
    status, out, err = run(*path, "--help")
    assert (status, err) == (0, "")
    assert f"listserver {' '.join(path)}" in " ".join(out.replace("│", " ").split()).split("Example: ", 1)[-1]
    assert "Example: " in " ".join(out.replace("│", " ").split())


# -- whatever is wrong ----------------------------------------------------------------------------------------------------

NONSENSE = [
    "nonsense",
    "list",
    "list frobnicate",
    "list ls --frobnicate",
    "list create nonsense",
    "list create a@b@c",
    "list create toolshare-request@lists.example.org",
    "list create owner-x@lists.example.org",
    "list create x@lists.example.org --set nonsense",
    "list create x@lists.example.org --set nonsense=1",
    "list create x@lists.example.org --owner nobody",
    "list create toolshare@lists.example.org",
    "list show nowhere",
    "list set toolshare",
    "list set toolshare timezone=Mars/Base",
    "list set nowhere timezone=UTC",
    "list remove nowhere --yes",
    "member add toolshare",
    "member add nowhere a@example.org",
    "member add toolshare nonsense",
    "member add toolshare a@example.org --deliver never",
    "member add toolshare a@example.org --role king",
    "member add toolshare --file /nonexistent",
    "member add toolshare --file /",
    "member show toolshare stranger@example.org",
    "member show toolshare nonsense",
    "member set toolshare gwen@example.net nonsense=1",
    "member set toolshare gwen@example.net paused_until=tomorrow",
    "member remove toolshare stranger@example.org",
    "member ls nowhere",
    "thread ls nowhere",
    "thread show toolshare 99",
    "thread show toolshare 99999999999999999999999",
    "thread why toolshare <x@y>",
    "thread why toolshare ²",
    "held ls nowhere",
    "held approve 1",
    "held approve nonsense",
    "held reject 99999999999999999999999",
    "held discard 0",
    "digest preview toolshare",
    "digest preview toolshare --for stranger@example.org",
    "digest preview toolshare --for ruth@example.net --at noon",
    "digest preview toolshare --for ruth@example.net --at 2026-03-03",
    "digest send nowhere",
    "digest send --at 0001-01-01T00:00+14:00",
    "queue show 1",
    "queue show nonsense",
    "queue show 99999999999999999999999",
    "queue retry",
    "queue retry 7",
    "queue hold 7 8",
    "queue drop nonsense",
    "database nonsense",
    "serve --only nonsense",
    "deliver --nonsense",
    "demo --nonsense",
]


@pytest.mark.parametrize("line", NONSENSE)
def test_nonsense_gets_one_line_and_exit_2(run: Run, line: str) -> None:
    """Never a traceback, nothing on standard output but help."""
    run("list", "create", LIST, "--owner", "ruth@example.net")
    status, out, err = run(*line.split(" "))
    assert status == 2, (out, err)
    assert err.startswith("listserver: ")
    assert err.count("\n") == 1
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("AUTHENTICATION", "maybe", 2),
        ("HOSTNAME", "a b", 2),
        ("TRUSTED_PEERS", "10.0.0.0/99", 2),
        ("MAX_MESSAGE_BYTES", "x", 2),
        ("DATABASE_URL", "nonsense", 2),
        ("DATABASE_URL", "mysql://x/y", 2),
        ("DATABASE_URL", "postgresql+psycopg://u:geheim@127.0.0.1:1/x", 75),
        ("DATABASE_URL", "sqlite:////nonexistent/x.db", 1),
        ("DATA_DIR", "/proc/nonexistent", 2),
        ("LOG_LEVEL", "loud", 2),
        ("SECRET_KEY", "short", 2),
        ("ADMIN", "nobody", 2),
        ("WEB_URL", "x", 2),
    ],
)
def test_a_wrong_setting_gets_one_line(run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str, status: int) -> None:
    """It names the variable or what fails, and repeats no secret."""
    monkeypatch.setenv(f"LISTSERVER_{name}", value)
    code, out, err = run("list", "ls")
    assert (code, out) == (status, ""), err
    assert err.count("\n") == 1
    assert "geheim" not in err


def test_a_file_that_is_no_database(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One line, exit 1, and the file is left alone."""
    path = tmp_path / "notes.txt"
    path.write_text("These are my notes.\n" * 100)
    monkeypatch.setenv("LISTSERVER_DATABASE_URL", f"sqlite:///{path}")
    status, out, err = run("list", "ls")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert path.read_text() == "These are my notes.\n" * 100


def test_postgresql_that_is_not_upgraded(run: Run, monkeypatch: pytest.MonkeyPatch, postgres_address: str) -> None:
    """Every command says what to do; the command itself does it."""
    monkeypatch.setenv("LISTSERVER_DATABASE_URL", postgres_address)
    for line in (
        "list ls",
        f"list create {LIST}",
        "queue ls",
        "database check",
        "digest send",
        "serve --only digest",
        "deliver --once",
    ):
        status, _out, err = run(*line.split())
        assert (status, err.count("\n")) == (2, 1), (line, err)
        assert "listserver database upgrade" in err, line
    assert run("database", "upgrade")[1] == "The tables are up to date now.\n"
    assert run("list", "create", LIST)[0] == 0
    assert _json(run, "database", "check")["ok"]
