"""Archives come in and go out: every kind of file, repeated, stopped half-way, in any order; and nobody gets mail."""

from __future__ import annotations

import gzip
import io
import pickle
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from listserver.errors import NotFound
from listserver.flows import digest, membership, transfer, unpack
from listserver.flows.transfer import Imported
from listserver.mail.mbox import MboxMessage, read_mbox, separator_of, write_mbox
from listserver.store import schema
from listserver.store.engine import Database
from tests.integration.desk import Desk, mail, open_desk

MOMENT = datetime(2010, 3, 1, 10, 0, tzinfo=UTC)


@pytest.fixture
def desk(database: Database) -> Desk:
    """A site with one list that has no members but its owner."""
    return open_desk(database)


def letter(number: int, *, answers: int | None = None, text: str = "", **fields: str) -> bytes:
    """One message of an archive, with the line ends of such files."""
    ids = {"Message_ID": f"<letter{number}@example.net>"}
    if answers is not None:
        ids |= {"In_Reply_To": f"<letter{answers}@example.net>", "References": f"<letter{answers}@example.net>"}
    given = {**ids, "subject": f"Topic {number}", "Date": f"Mon, 01 Mar 2010 10:{number % 60:02}:00 +0000", **fields}
    return mail(f"Person {number % 7} <p{number % 7}@example.net>", text=text or f"Text number{number}\n", **given).replace(
        b"\r\n", b"\n"
    )


def mbox(path: Path, *messages: bytes, pack: bool = False) -> Path:
    """A file with these messages."""
    file = io.BytesIO()
    write_mbox(file, [MboxMessage(separator_of("someone@example.net", MOMENT), raw) for raw in messages])
    path.write_bytes(gzip.compress(file.getvalue()) if pack else file.getvalue())
    return path


def bring_in(desk: Desk, *paths: Path, workers: int = 0) -> Imported:
    """Import, and see that all is accounted for and that nothing waits to leave."""
    done = transfer.import_mail(desk.site, desk.alist, paths, workers=workers)
    desk.states()
    assert desk.deliver() == []
    assert done.read == done.imported + done.skipped + done.quarantined
    return done


def take_out(desk: Desk) -> bytes:
    """The list as an mbox file."""
    file = io.BytesIO()
    transfer.export_mbox(desk.site, desk.alist, file)
    return file.getvalue()


def a_discussion(size: int) -> list[bytes]:
    """Posts, most of which answer an earlier one."""
    chance = random.Random(7)
    return [letter(n, answers=chance.randrange(n) if n and n % 5 else None) for n in range(size)]


def test_an_archive_becomes_conversations(desk: Desk, tmp_path: Path) -> None:
    """Numbered in the order of the file, dated as written, linked by their fields, their authors known."""
    desk.join("p1@example.net")

    done = bring_in(desk, mbox(tmp_path / "a.mbox", letter(1), letter(2, answers=1), letter(3)))

    assert (done.read, done.imported, done.roots, done.linked) == (3, 3, 2, {"in-reply-to": 1})
    first, second = desk.threads()
    assert [post["number"] for post in first["posts"]] == [1, 2]
    assert first["posts"][0]["date"] == datetime(2010, 3, 1, 10, 1, tzinfo=UTC)
    assert first["posts"][1]["author"] == {"name": "Person 2", "address": "p2@example.net"}
    assert second["posts"][0]["message_id"] == "<letter3@example.net>"
    assert desk.member("p1@example.net").posts == 1


def test_the_order_of_a_file_does_not_matter(desk: Desk, database: Database, tmp_path: Path) -> None:
    """Parents that come after their answers are found all the same."""
    messages = a_discussion(60)
    straight = bring_in(desk, mbox(tmp_path / "a.mbox", *messages))
    parents = desk.parents()
    random.Random(3).shuffle(messages)
    other = open_other_list(desk)

    shuffled = bring_in(other, mbox(tmp_path / "b.mbox", *messages))

    assert other.parents() == parents
    assert (shuffled.roots, sum(shuffled.linked.values())) == (straight.roots, sum(straight.linked.values()))


def open_other_list(desk: Desk, name: str = "other") -> Desk:
    """A second list on the same site."""
    address = f"{name}@lists.example.org"
    membership.create_list(desk.site, address, {}, [])
    return Desk(desk.site, desk.clock, desk.resolver, list_address=address)


def test_a_repeated_import_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    """What is known is skipped, also what was set aside."""
    path = mbox(tmp_path / "a.mbox", letter(1), b"no message at all\n", letter(2, answers=1), letter(2, answers=1))
    first = bring_in(desk, path)
    before = desk.threads(), take_out(desk)

    again = bring_in(desk, path)

    assert (first.imported, first.skipped, first.quarantined) == (2, 1, 1)
    assert (again.imported, again.skipped, again.quarantined) == (0, 4, 0)
    assert (desk.threads(), take_out(desk)) == before


def test_an_import_that_was_stopped_goes_on(desk: Desk, tmp_path: Path) -> None:
    """The posts of the first part are there once, and those of the rest are linked to them."""
    messages = a_discussion(30)
    bring_in(desk, mbox(tmp_path / "a.mbox", *messages[:11]))

    rest = bring_in(desk, mbox(tmp_path / "a.mbox", *messages))

    assert (rest.imported, rest.skipped) == (19, 11)
    whole = open_other_list(desk)
    bring_in(whole, tmp_path / "a.mbox")
    assert desk.parents() == whole.parents()


def test_other_processes_read_as_this_one(desk: Desk, tmp_path: Path) -> None:
    """The same posts in the same order, and the same links; on the second run nothing."""
    path = mbox(tmp_path / "a.mbox", *a_discussion(330))
    here = open_other_list(desk)

    there = bring_in(desk, path, workers=2)
    bring_in(here, path)

    assert there.imported == 330
    assert desk.threads() == here.threads()
    again = bring_in(desk, path, workers=2)
    assert (again.imported, again.skipped) == (0, 330)


def test_every_kind_of_file(desk: Desk, tmp_path: Path) -> None:
    """mbox, packed mbox, Maildir, single messages, and folders of them; what is no mail is not looked at."""
    mbox(tmp_path / "a.mbox", letter(1))
    mbox(tmp_path / "b.mbox.gz", letter(2), pack=True)
    twice = (tmp_path / "b.mbox.gz").read_bytes() + mbox(tmp_path / "c.gz", letter(10), pack=True).read_bytes() + bytes(512)
    (tmp_path / "b.mbox.gz").write_bytes(twice)
    for folder in ("cur", "new", "tmp"):
        (tmp_path / "maildir" / folder).mkdir(parents=True)
    (tmp_path / "maildir/cur/100.M1.host:2,S").write_bytes(letter(3))
    (tmp_path / "maildir/new/101.M1.host").write_bytes(letter(4))
    (tmp_path / "maildir/tmp/102.M1.host").write_bytes(letter(5))
    (tmp_path / "folder/deep").mkdir(parents=True)
    (tmp_path / "folder/6.eml").write_bytes(letter(6).replace(b"\n", b"\r\n"))
    (tmp_path / "folder/deep/7.eml").write_bytes(letter(7))
    (tmp_path / "folder/picture.png").write_bytes(b"\x89PNG\r\n")
    (tmp_path / "folder/.hidden.eml").write_bytes(letter(8))
    (tmp_path / "9").write_bytes(letter(9))
    paths = [tmp_path / name for name in ("a.mbox", "b.mbox.gz", "maildir", "folder", "9")]

    done = bring_in(desk, *paths)

    assert (done.imported, done.quarantined) == (8, 0)
    assert sorted(desk.parents()) == [f"<letter{n}@example.net>" for n in (10, 1, 2, 3, 4, 6, 7, 9)]


def test_what_pipermail_did(desk: Desk, tmp_path: Path) -> None:
    """Hidden addresses, no Message-ID, lines that begin with From: each message is one post, its author known."""
    path = tmp_path / "2010-March.txt"
    path.write_bytes(
        b"From gwen at example.net  Mon Mar  1 10:00:00 2010\nFrom: gwen at example.net (Gwen Pritchard)\n"
        b"Date: Mon, 01 Mar 2010 10:00:00 +0000\nSubject: [Toolshare] The long ladder\nMessage-ID: <letter1@example.net>\n\n"
        b"It stands behind the hut.\n\nFrom here it is not far.\n\n"
        b"From tom at example.net  Mon Mar  1 11:00:00 2010\nFrom: tom at example.net (Tom)\n"
        b"Date: Mon, 01 Mar 2010 11:00:00 +0000\nSubject: [Toolshare] The long ladder\nIn-Reply-To: <letter1@example.net>\n\nThanks\n\n"
    )
    desk.join("gwen@example.net")

    done = bring_in(desk, path)
    again = bring_in(desk, path)

    (thread,) = desk.threads()
    assert [post["author"]["address"] for post in thread["posts"]] == ["gwen@example.net", "tom@example.net"]
    assert thread["posts"][1]["message_id"].endswith(".made@lists.example.org>")
    assert (done.imported, again.skipped) == (2, 2)
    assert desk.member("gwen@example.net").posts == 1
    assert take_out(desk) == path.read_bytes().replace(b"\nFrom here", b"\n>From here")


def test_what_cannot_be_read_is_set_aside(desk: Desk, tmp_path: Path) -> None:
    """Counted, kept, told by name, and the rest goes on."""
    (tmp_path / "1.eml").write_bytes(b"\x00\x01\x02" * 100)
    (tmp_path / "2.eml").write_bytes(letter(2))
    packed = mbox(tmp_path / "c.mbox.gz", *a_discussion(400)[3:], pack=True)
    packed.write_bytes(packed.read_bytes()[:-800])

    done = bring_in(desk, tmp_path)

    assert done.quarantined == 2
    assert 300 < done.imported < 398
    assert [problem.partition(":")[0] for problem in done.problems] == [str(tmp_path / "1.eml"), str(packed)]
    assert desk.states()["quarantined"] == 2


def test_a_path_that_is_not_there(desk: Desk, tmp_path: Path) -> None:
    """Nothing is imported, and one sentence names it."""
    with pytest.raises(NotFound, match="nowhere"):
        bring_in(desk, mbox(tmp_path / "a.mbox", letter(1)), tmp_path / "nowhere")
    assert desk.posts() == 0


def test_nobody_gets_what_was_imported(desk: Desk, tmp_path: Path) -> None:
    """Not at once, and not in the digest, which holds only what came by mail."""
    desk.join("ann@example.net", delivery="digest")
    desk.join("tom@example.net")
    bring_in(desk, mbox(tmp_path / "a.mbox", letter(1), letter(2, answers=1)))
    desk.write("tom@example.net", In_Reply_To="<letter2@example.net>", subject="Re: Topic 1", text="A new answer\n")
    desk.wait(days=2)
    digest.send_due(desk.site)

    (issue,) = desk.to("ann@example.net")
    assert "A new answer" in issue.text
    assert "Topic 1" in issue.text
    assert "#2" not in issue.text
    assert "number1" not in issue.text
    answer = next(name for name in desk.parents() if name not in ("<letter1@example.net>", "<letter2@example.net>"))
    assert desk.parents()[answer] == "<letter2@example.net>"


def test_what_came_by_mail_is_known_in_an_archive(desk: Desk, tmp_path: Path) -> None:
    """A list that is exported and imported again gains nothing."""
    desk.join("gwen@example.net")
    desk.write("gwen@example.net", text="From here\n>From there\n")
    desk.write("gwen@example.net", text="no line end")
    desk.deliver()
    (tmp_path / "a.mbox").write_bytes(take_out(desk))

    done = bring_in(desk, tmp_path / "a.mbox")

    assert (done.imported, done.skipped) == (0, 2)


def test_another_post_with_the_same_id_is_kept(desk: Desk, tmp_path: Path) -> None:
    """A Message-ID is a claim, not a key."""
    done = bring_in(desk, mbox(tmp_path / "a.mbox", letter(1), letter(1, text="Something else\n")))

    assert done.imported == 2


BODIES = st.lists(
    st.sampled_from(
        [b"From ", b">From ", b"x", b"\n", b"\r\n", b"\n\n", b"\xff\x00", b"From a@b.c Mon Mar  1 10:00:00 2010\n", b"\r"]
    ),
    max_size=8,
).map(lambda parts: b"".join(parts) + b"\n")


@pytest.fixture(scope="module")
def sqlite_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One site for many examples."""
    opened = Database(f"sqlite:///{tmp_path_factory.mktemp('x')}/x.db")
    schema.upgrade(opened)
    yield open_desk(opened)
    opened.close()


_examples = iter(range(1_000_000))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(BODIES, max_size=4), line_end=st.sampled_from([b"\n", b"\r\n"]))
def test_a_file_comes_out_as_it_went_in(
    sqlite_desk: Desk, tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes], line_end: bytes
) -> None:
    """Byte for byte, with its separators and line ends, and again after a second journey."""
    folder = tmp_path_factory.mktemp("trip")
    file = io.BytesIO()
    separator = b"From gwen at example.net  Mon Mar  1 10:00:00 2010" + line_end
    write_mbox(file, [MboxMessage(separator, letter(n).partition(b"\n\n")[0] + b"\n\n" + body) for n, body in enumerate(bodies)])
    (folder / "a.mbox").write_bytes(file.getvalue())
    first, second = (open_other_list(sqlite_desk, f"trip{next(_examples)}") for _n in range(2))

    bring_in(first, folder / "a.mbox")
    (folder / "b.mbox").write_bytes(take_out(first))
    bring_in(second, folder / "b.mbox")

    assert take_out(first) == file.getvalue()
    assert take_out(second) == file.getvalue()
    assert len(list(read_mbox(io.BytesIO(file.getvalue())))) == len(bodies)


def test_a_message_that_breaks_its_reader_hurts_only_itself(desk: Desk, tmp_path: Path) -> None:
    """A message nested without end, one of a million brackets, and one with a lying charset are posts or set aside."""
    nested = letter(
        1, Content_Type='multipart/mixed; boundary="a"', text="--a\nContent-Type: multipart/mixed; boundary=a\n\n" * 5_000
    )
    brackets = letter(2, text="x", References="<" * 60_000)
    charset = letter(3, Content_Type="text/plain; charset=nonsense", text="\u2028\x0b\n")

    done = bring_in(desk, mbox(tmp_path / "a.mbox", nested, brackets, charset, letter(4)))

    assert done.read == 4
    assert "<letter4@example.net>" in desk.parents()


def test_the_reading_is_plain_values() -> None:
    """What one process reads can be handed to another."""
    reader = unpack.Reader(MOMENT, "lists.example.org")

    read = unpack.unpack(letter(5, answers=4), separator_of("", MOMENT), reader)

    assert pickle.loads(pickle.dumps(read)) == read
    assert read.identity == unpack.identify(letter(5, answers=4), reader)
