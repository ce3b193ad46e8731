"""The pages that mails point at, through the whole application: who may read, what GET never does, what POST does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from listserver.flows import accept, links, membership, process, unsubscribe
from listserver.flows.deliver import CopyBuilder
from listserver.flows.site import Directory, Site
from listserver.lists.tokens import reading_key, sign_permission
from listserver.mail.envelope import Envelope, Peer
from listserver.render.environment import Templates
from listserver.store import members, outbox, schema
from listserver.store.engine import Database
from listserver.store.reading import ReadOnly
from listserver.web.app import Web
from tests.fakes import FakeResolver

HOST = "lists.example.org"
LIST = f"toolshare@{HOST}"
DAY = (date(2026, 3, 2) - date(1970, 1, 1)).days


@dataclass
class Clock:
    """A clock that the test sets."""

    moment: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


@dataclass
class World:
    """A site with one list, its pages, and a way to post."""

    site: Site
    clock: Clock
    client: TestClient
    posted: int = field(default=0)

    @property
    def alist(self) -> Any:
        self.site.directory.refresh()
        found = self.site.directory.by_address(LIST)
        assert found is not None
        return found

    def join(self, address: str) -> int:
        (number,) = membership.add_members(self.site, self.alist, [(address, "Gwen")], {}, welcome=False)
        return number

    def post(self, text: str = "Who has it?\r\n", subject: str = "The long ladder", more: str = "", to: str = LIST) -> int:
        """Accept and process one mail; the number of its post."""
        self.posted += 1
        raw = (
            f"From: Gwen Pritchard <gwen@example.net>\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <m{self.posted}@example.net>\r\n"
            f"Date: Mon, 02 Mar 2026 09:00:00 +0000\r\n{more}\r\n{text}"
        ).encode()
        peer = Peer(host="127.0.0.1", port=1, helo="x", trusted=True, tls=False, protocol="ESMTP")
        envelope = Envelope(reverse_path="gwen@example.net", recipients=(to,), peer=peer)
        arrival = accept.find_arrival(self.site, to)
        assert arrival is not None
        prepared = accept.prepare(self.site, envelope, raw)
        (mail,) = accept.new_mails(self.site, envelope, [arrival])
        self.site.database.write(lambda connection: accept.accept(connection, raw, [mail]))
        self.site.database.write(process.plan(self.site, mail, prepared))
        with self.site.database.read() as connection:
            return int(connection.execute(sa.text("SELECT coalesce(max(number), 0) FROM post")).scalar_one())

    def leave_token(self, member: int) -> str:
        return sign_permission(self.site.secret, "leave", self.alist.id, member, DAY)

    def state(self, member: int) -> str:
        with self.site.database.read() as connection:
            row = members.by_id(connection, self.alist.id, member)
            assert row is not None
            return str(row.state)

    def letters(self) -> list[Any]:
        """Every mail of ours in the outbox, parsed."""
        with self.site.database.read() as connection:
            rows = connection.execute(
                sa.text(
                    "SELECT r.raw FROM outgoing o JOIN original r ON r.list_id = o.list_id AND r.id = o.original_id "
                    "WHERE o.kind = 'notice' ORDER BY o.id"
                )
            )
            return [message_from_bytes(bytes(row[0]), policy=policy.default) for row in rows]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The site on SQLite, its pages at https://lists.example.org."""
    database = Database(f"sqlite:///{tmp_path}/listserver.db")
    schema.upgrade(database)
    with _world(database) as made:
        yield made
    database.close()


@pytest.fixture
def either_world(database: Database) -> Iterator[World]:
    """The same, once on each database."""
    with _world(database) as made:
        yield made


@contextmanager
def _world(database: Database) -> Iterator[World]:
    clock = Clock()
    site = Site(
        hostname=HOST,
        administrator=f"postmaster@{HOST}",
        web_url=f"https://{HOST}",
        secret=b"x" * 32,
        authentication="accept",
        max_message_bytes=25_000_000,
        database=database,
        clock=clock,
        resolver=FakeResolver(),
        templates=Templates(),
        directory=Directory(database),
    )
    options = {"name": "Hartley Vale Tool Share", "short_name": "Tool Share", "archive": "public", "post": "anyone"}
    membership.create_list(site, LIST, options, ["ruth@example.net"])
    with ExitStack() as stack:
        reader = ReadOnly(database.address)
        stack.callback(reader.close)
        client = stack.enter_context(TestClient(Web(site, reader).app(), base_url=f"https://{HOST}", follow_redirects=False))
        yield World(site, clock, client)


# -- leaving -------------------------------------------------------------------------------------------------


def test_get_shows_one_button_and_never_acts(world: World) -> None:
    """A scanner that follows the link changes nothing; a person sees one sentence and one button."""
    member = world.join("gwen@example.net")
    page = world.client.get(f"/u/{world.leave_token(member)}")
    assert page.status_code == 200
    assert page.text.count("<button") == 1
    assert "gwen…@…" in page.text
    assert "gwen@example.net" not in page.text
    assert world.client.head(f"/u/{world.leave_token(member)}").status_code == 200
    assert world.state(member) == "active"


def test_the_button_leaves_and_says_goodbye_once(either_world: World) -> None:
    """POST acts; a second one finds nothing to do; E6 is a notice without a way to leave."""
    world = either_world
    member = world.join("gwen@example.net")
    first = world.client.post(f"/u/{world.leave_token(member)}")
    assert first.status_code == 200
    assert "You have left" in first.text
    assert world.state(member) == "left"
    again = world.client.post(f"/u/{world.leave_token(member)}")
    assert again.status_code == 200
    assert "was not on the list any more" in again.text
    (letter,) = world.letters()
    assert letter["Subject"] == "You have left Hartley Vale Tool Share"
    assert letter["To"] == "Gwen <gwen@example.net>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["List-Unsubscribe"] is None
    assert letter["List-Unsubscribe-Post"] is None
    assert letter["List-Archive"] == f"<https://{HOST}/toolshare>"


@pytest.mark.parametrize(
    "how",
    [
        {"data": {"List-Unsubscribe": "One-Click"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {"content": b"\x00" * 100_000},
        {},
    ],
    ids=["urlencoded", "multipart", "rubbish", "empty"],
)
def test_one_click_needs_no_cookie_and_no_redirect(world: World, how: dict[str, Any]) -> None:
    """RFC 8058 §3.2: POST in either encoding, answered at once with 200, no cookie set."""
    member = world.join("gwen@example.net")
    answer = world.client.post(f"/u/{world.leave_token(member)}", **how)
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert world.state(member) == "left"


@pytest.mark.parametrize("token", ["x", "a" * 26, "%00", "ab" * 200])
def test_an_unknown_token_gets_kind_words(world: World, token: str) -> None:
    """A token that is not ours changes nothing and is answered in words."""
    member = world.join("gwen@example.net")
    for answer in (world.client.get(f"/u/{token}"), world.client.post(f"/u/{token}")):
        assert answer.status_code == 404
        assert "does not work" in answer.text or "nothing here" in answer.text
    assert world.state(member) == "active"


def test_a_return_path_token_does_not_leave(world: World) -> None:
    """A permission is for one act: the token of a return-path opens nothing here."""
    member = world.join("gwen@example.net")
    token = sign_permission(world.site.secret, "bounces", world.alist.id, member, DAY)
    assert world.client.post(f"/u/{token}").status_code == 404
    assert world.state(member) == "active"


def test_the_link_in_a_copy_is_the_link_that_works(world: World) -> None:
    """What stands in List-Unsubscribe of a delivered copy leads to the page that lets its reader leave."""
    member = world.join("dilys@example.net")
    world.post()
    now = world.clock.now() + timedelta(minutes=1)
    claims = world.site.database.write(lambda connection: outbox.claim(connection, now, 100, timedelta(minutes=1)))
    copies = CopyBuilder(world.site).build(claims).copies
    copy = next(each for each in copies if each.recipient == "dilys@example.net")
    fields = message_from_bytes(copy.head + copy.body.raw, policy=policy.default)
    url = re.search(r"<(https://[^>]+)>", fields["List-Unsubscribe"])
    assert url is not None
    assert fields["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert world.client.post(url[1], data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert world.state(member) == "left"
    assert world.client.get(fields["Archived-At"].strip("<> ")).status_code == 200
    assert world.client.get(fields["List-Archive"].strip("<> ")).status_code == 200


def test_a_mistake_is_undone_with_the_settings_of_before(either_world: World) -> None:
    """The page that says goodbye brings one back; the link acts only when its button is pressed, for 30 days."""
    world = either_world
    member = world.join("gwen@example.net")
    membership.set_member_options(world.site, world.alist, "gwen@example.net", {"delivery": "digest", "digest_at": "18:00"})
    page = world.client.post(f"/u/{world.leave_token(member)}")
    back = re.search(r'action="(/back/[a-z0-9]+)"', page.text)
    assert back is not None
    assert world.client.get(back[1]).status_code == 200
    assert world.state(member) == "left"
    assert "is a member" not in page.text
    assert "gets email from" in world.client.post(back[1]).text
    with world.site.database.read() as connection:
        row = members.by_id(connection, world.alist.id, member)
    assert row is not None
    assert (row.state, row.delivery, row.digest_at, row.left_at) == ("active", "digest", "18:00", None)
    assert row.digest_due is not None
    membership.remove_member(world.site, world.alist, "gwen@example.net")
    world.clock.moment += timedelta(days=unsubscribe.UNDO_DAYS + 1)
    assert world.client.post(back[1]).status_code == 404
    assert world.state(member) == "left"


def test_an_old_way_back_does_not_undo_a_later_leaving(world: World) -> None:
    """Whoever leaves again, by whatever way, is not brought back by a page from before."""
    member = world.join("gwen@example.net")
    page = world.client.post(f"/u/{world.leave_token(member)}")
    back = re.search(r'action="(/back/[a-z0-9]+)"', page.text)
    assert back is not None
    world.client.post(back[1])
    world.clock.moment += timedelta(days=2)
    membership.remove_member(world.site, world.alist, "gwen@example.net")
    assert world.client.post(back[1]).status_code == 404
    assert world.state(member) == "left"


# -- confirming ------------------------------------------------------------------------------------------------


def test_a_question_is_answered_by_its_button(world: World) -> None:
    """E1 holds a link; GET changes nothing, POST makes a member with a welcome; it works once."""
    world.post(to=f"toolshare-join@{HOST}", subject="", text="digest\r\n")
    (question,) = world.letters()
    link = re.search(r"https://\S+/c/\w+", question.get_content())
    assert link is not None
    page = world.client.get(link[0])
    assert page.status_code == 200
    assert page.text.count("<button") == 1
    assert "Join Hartley Vale Tool Share?" in page.text
    with world.site.database.read() as connection:
        assert members.find(connection, world.alist.id, "gwen@example.net") is None
    assert "Welcome to Hartley Vale Tool Share" in world.client.post(link[0]).text
    with world.site.database.read() as connection:
        row = members.find(connection, world.alist.id, "gwen@example.net")
    assert row is not None
    assert (row.state, row.delivery) == ("active", "digest")
    assert world.letters()[-1]["Subject"] == "Welcome to Hartley Vale Tool Share"
    for again in (world.client.post(link[0]), world.client.get(link[0])):
        assert again.status_code == 404
        assert "not open" in again.text


def test_a_question_that_is_over_is_not_answered(world: World) -> None:
    """After seven days the button does nothing, and a token of nobody says the same."""
    world.post(to=f"toolshare-join@{HOST}", subject="", text="\r\n")
    (question,) = world.letters()
    link = re.search(r"https://\S+/c/\w+", question.get_content())
    assert link is not None
    world.clock.moment += timedelta(days=8)
    over, nobody = world.client.post(link[0]), world.client.post("/c/abcdefghjkmn")
    assert over.status_code == nobody.status_code == 404
    assert over.text == nobody.text


# -- reading --------------------------------------------------------------------------------------------------


def test_a_public_post_is_read_at_its_permanent_address(either_world: World) -> None:
    """Subject, author, written-out date, text, what it answers and what answers it; one h1; addresses masked."""
    world = either_world
    first = world.post(text="Ask dilys.hughes@example.org, or see https://example.org/ladder.\r\n")
    second = world.post(
        subject="Re: The long ladder",
        more="In-Reply-To: <m1@example.net>\r\n",
        text="> Ask dilys\r\n\r\nShe has it.\r\n",
    )
    page = world.client.get(f"/toolshare/p/{first}")
    assert page.status_code == 200
    assert page.text.count("<h1") == 1
    assert "Gwen Pritchard" in page.text
    assert "Monday 2 March 2026, 09:00 (UTC)" in page.text
    assert "dily…@…" in page.text
    assert '<a rel="nofollow ugc noreferrer" href="https://example.org/ladder">' in page.text
    assert f'href="/toolshare/p/{second}"' in page.text
    for address in ("gwen@example.net", "dilys.hughes@example.org"):
        assert address not in page.text
    answer = world.client.get(f"/toolshare/p/{second}").text
    assert f'In reply to <a href="/toolshare/p/{first}">#{first} Gwen Pritchard</a>' in answer
    assert "<summary>1 quoted line</summary>" in answer
    assert "mailto:toolshare%2Br-" in answer
    assert world.client.get(f"/{LIST}/p/{first}").status_code == 200
    assert "noindex" not in page.text
    assert "x-robots-tag" not in page.headers


def test_a_members_archive_opens_with_the_key_of_the_mail_only(either_world: World) -> None:
    """Without the key nothing is told, whether the post is there or not; with it that one post, and no neighbours."""
    world = either_world
    number = world.post(text="Only for us.\r\n")
    world.post(subject="Re: The long ladder", more="In-Reply-To: <m1@example.net>\r\n", text="A later answer.\r\n")
    membership.set_list_options(world.site, world.alist, {"archive": "members"})
    there, nowhere = world.client.get(f"/toolshare/p/{number}"), world.client.get("/toolshare/p/999")
    assert there.status_code == nowhere.status_code == 403
    assert there.text == nowhere.text
    assert "Only for us" not in there.text
    url = links.post_page(world.site, world.alist, number)
    page = world.client.get(url)
    assert page.status_code == 200
    assert "Only for us." in page.text
    assert "/toolshare/p/" not in page.text
    assert "1 answer" not in page.text
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    assert page.headers["cache-control"] == "no-store"
    key = reading_key(world.site.secret, world.alist.id, number)
    assert world.client.get(f"/toolshare/p/{number + 1}?key={key}").status_code == 403


def test_without_an_archive_there_is_nothing(world: World) -> None:
    """`archive=off`: the same 404 as for a list that does not exist, with a key too; and no mail points there."""
    number = world.post()
    key = reading_key(world.site.secret, world.alist.id, number)
    membership.set_list_options(world.site, world.alist, {"archive": "off"})
    nowhere = world.client.get("/nosuchlist/p/1").text
    for path in (f"/toolshare/p/{number}", f"/toolshare/p/{number}?key={key}", "/toolshare", "/toolshare/p/99999999999999999999"):
        answer = world.client.get(path)
        assert answer.status_code == 404
        assert answer.text == nowhere
    assert links.post_page(world.site, world.alist, number) == ""
    assert links.list_page(world.site, world.alist) == ""
    assert "Tool Share" not in world.client.get("/").text


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script><img src=x onerror=alert(1)>\r\n",
        'See javascript:alert(1) and https://example.org/"onmouseover="x\r\n',
        "http://example.org/<b>x</b>\r\n",
        "\x00\x08\ufffe\r\n",
    ],
)
def test_html_is_never_passed_on(world: World, text: str) -> None:
    """Whatever people write comes out as text."""
    for more in ("", "Content-Type: text/html; charset=utf-8\r\n"):
        page = world.client.get(f"/toolshare/p/{world.post(text=text, more=more)}").text
        for bad in ("<script", "<img", "<b>", "onerror=alert(1)>", 'href="javascript', "\x00", "\x08"):
            assert bad not in page
        assert re.search(r"<a[^>]* on\w+=", page) is None


def test_a_hostile_subject_and_name_are_text_too(world: World) -> None:
    """Subject and names are escaped, and their addresses masked."""
    number = world.post(subject='"><script>alert(1)</script> from eve@example.com')
    page = world.client.get(f"/toolshare/p/{number}").text
    assert "<script" not in page
    assert "eve@example.com" not in page


def test_of_namesakes_the_oldest_keeps_the_short_address(world: World) -> None:
    """A permanent address keeps its meaning when a second list of the same local part is made."""
    number = world.post(text="The old list.\r\n")
    other = membership.create_list(world.site, "toolshare@other.example", {"archive": "public"}, [])
    assert "The old list." in world.client.get(f"/toolshare/p/{number}").text
    assert links.list_page(world.site, other) == f"https://{HOST}/toolshare@other.example"
    assert world.client.get("/toolshare@other.example").status_code == 200
    reserved = membership.create_list(world.site, f"health@{HOST}", {"archive": "public"}, [])
    assert links.list_page(world.site, reserved) == f"https://{HOST}/health@{HOST}"


def test_the_list_page_says_how_to_join(world: World) -> None:
    """A list's own page: its name, how to join and leave, its newest conversations."""
    world.post()
    page = world.client.get("/toolshare").text
    assert "mailto:toolshare-join@" in page
    assert "#1 The long ladder" in page
    assert 'href="/toolshare"' in world.client.get("/").text


def test_without_a_web_address_no_mail_holds_a_link(world: World) -> None:
    """Where there are no pages, nothing points at them."""
    import dataclasses

    site = dataclasses.replace(world.site, web_url="")
    assert links.post_page(site, world.alist, 1) == ""
    assert links.list_page(site, world.alist) == ""


# -- what holds for every answer ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/toolshare", "/u/x", "/nowhere/at/all", "/robots.txt", "/favicon.ico", "/toolshare/p/1"])
def test_every_answer_carries_the_fields_that_protect(world: World, path: str) -> None:
    """No scripts, no framing, no sniffing, no Referer, no cookies; nothing loaded from elsewhere."""
    answer = world.client.get(path)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers
    assert re.search(r'(?:src|href)="(?:https?:)?//(?!lists\.example\.org)', answer.text) is None


def test_another_host_is_refused(world: World) -> None:
    """A request for another name is not for us (421), whatever its path; this machine's own names are."""
    assert world.client.get("/", headers={"host": "evil.example"}).status_code == 421
    assert world.client.post("/u/x", headers={"host": f"{HOST}.evil.example"}).status_code == 421
    for host in ("localhost:8080", "127.0.0.1", "[::1]:8080", f"{HOST}:443", HOST.upper()):
        assert world.client.get("/robots.txt", headers={"host": host}).status_code == 200


def test_other_methods_are_refused(world: World) -> None:
    """Only what is offered: a page is read, a token is posted to."""
    assert world.client.post("/toolshare").status_code == 405
    assert world.client.delete(f"/u/{world.leave_token(world.join('gwen@example.net'))}").status_code == 405


def test_our_own_fault_is_a_kind_page(world: World, tmp_path: Path) -> None:
    """A database that fails gives 500 in words, without its name or a trace."""
    broken = ReadOnly(f"sqlite:///{tmp_path}/nowhere.db")
    with TestClient(Web(world.site, broken).app(), base_url=f"https://{HOST}") as client:
        answer = client.get("/toolshare/p/1")
    broken.close()
    assert answer.status_code == 500
    assert "The fault is ours" in answer.text
    assert "sqlite" not in answer.text.lower()


def test_pages_cannot_write(either_world: World) -> None:
    """The reader's connections refuse every change."""
    world = either_world
    reader = ReadOnly(world.site.database.address)
    with reader.read() as connection, pytest.raises(sa.exc.DBAPIError, match=r"readonly|read-only"):
        connection.execute(sa.text("DELETE FROM member"))
    reader.close()
