"""The daily digest of one reader, in plain text: contents, conversations, each post with what it answers and how to answer it.

Posts are numbered through; the same numbers stand in the contents, over the posts and in their answer addresses' lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from zoneinfo import ZoneInfo

from listserver.lists.digests import DigestConversation, DigestPost, local_day
from listserver.lists.model import MailingList
from listserver.lists.transform import identity_of
from listserver.mail.address import format_mailbox
from listserver.mail.compose import compose
from listserver.mail.headers import write_field
from listserver.mail.listfields import list_fields
from listserver.render.environment import Templates
from listserver.render.textwidth import size_in_words, width, wrap_line

_SUBJECT = 78
_EXCERPT = 140


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestIssue:
    """One digest before it is worded."""

    alist: MailingList
    conversations: tuple[DigestConversation, ...]
    reader_id: int
    reader_address: str
    reader_name: str
    zone: str
    hour: str
    moment: datetime
    token: str
    language: str = "en"
    pages: Mapping[int, str] = field(default_factory=dict)
    """Where posts can be read on the web, by number; only those that can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedDigest:
    """Subject and text, and the post numbers in the order in which they stand."""

    subject: str
    text: str
    numbers: tuple[int, ...]


def render_digest(templates: Templates, issue: DigestIssue) -> RenderedDigest:
    """Word one digest."""
    posts = [post for conversation in issue.conversations for post in conversation.posts]
    positions = {post.number: position for position, post in enumerate(posts, start=1)}
    values = {
        "list": issue.alist,
        "issue": issue,
        "day": day_in_words(issue.moment, issue.zone),
        "posts": len(posts),
        "people": len({post.author_id or post.author for post in posts}),
        "positions": positions,
        "conversations": [_lettered(index, conversation, positions) for index, conversation in enumerate(issue.conversations)],
        "post_head": lambda post: _post_head(post, positions, issue),
        "context": lambda post: _context(post, positions, issue),
        "place": issue.zone.rpartition("/")[2].replace("_", " "),
        "plural": _plural,
        "size": size_in_words,
    }
    text = templates.get("digest", issue.language, "digest.txt.j2").render(values)
    lines = [piece for line in text.split("\n") for piece in _wrapped(line)]
    return RenderedDigest(
        subject=_subject(issue, len(posts)), text=_single_blanks(lines), numbers=tuple(post.number for post in posts)
    )


def write_digest(issue: DigestIssue, rendered: RenderedDigest, *, archive: str = "") -> bytes:
    """The whole mail but for List-Unsubscribe, which the delivery adds for its recipient."""
    alist = issue.alist
    fields = [
        ("From", format_mailbox(f"{alist.short_name} digest", alist.helper("digest"))),
        ("To", format_mailbox(issue.reader_name, issue.reader_address)),
        ("Reply-To", format_mailbox(f"{alist.short_name} (answer the digest)", alist.with_token("d", issue.token))),
        ("Subject", rendered.subject),
        ("Date", format_datetime(issue.moment)),
        ("Message-ID", f"<d-{issue.token}.{issue.moment:%Y%m%d}@{alist.host}>"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
    ]
    return (
        list_fields(identity_of(alist, archive))
        + write_field("Precedence", "list")
        + compose(fields, rendered.text, flowed=False)
    )


def day_in_words(moment: datetime, zone: str) -> str:
    """`Tuesday 3 March 2026`, as a calendar there shows it."""
    day = local_day(moment, zone)
    return f"{day:%A} {day.day} {day:%B} {day.year}"


def _subject(issue: DigestIssue, count: int) -> str:
    day = local_day(issue.moment, issue.zone)
    more = len(issue.conversations) - 1
    head = f"{issue.alist.short_name}, {day:%a} {day.day} {day:%B}: "
    tail = (f" + {more} more" if more else "") + f" ({_plural(count, 'post')})"
    title = issue.conversations[0].title
    room = _SUBJECT - width(head) - width(tail)
    if width(title) > room:
        title = title[: max(room - 1, 8)].rstrip() + "…"
    return head + title + tail


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s" if word != "person" else f"{count} people"


def _lettered(index: int, conversation: DigestConversation, positions: dict[int, int]) -> dict[str, object]:
    """One conversation with its letter (A … Z, AA …) and the line that stands for it in the contents."""
    letters, number = "", index
    while number >= 0:
        letters = chr(ord("A") + number % 26) + letters
        number = number // 26 - 1
    first, last = positions[conversation.posts[0].number], positions[conversation.posts[-1].number]
    where = f"#{first}" if first == last else f"#{first} to #{last}"
    count = len(conversation.posts)
    question = conversation.is_new and count == 1 and conversation.posts[0].text.rstrip().endswith("?")
    asked = count == 1 and conversation.total == 1 and ("?" in conversation.title or question)
    how_many = "new, " + (f"{_plural(count, 'post')}, " if count > 1 else "") if conversation.is_new else f"{count} new, "
    return {
        "letter": letters,
        "title": conversation.title,
        "words": how_many + where + (", question without an answer yet" if asked else ""),
        "head": _conversation_head(conversation),
        "posts": conversation.posts,
    }


def _conversation_head(conversation: DigestConversation) -> str:
    count = len(conversation.posts)
    if conversation.is_new:
        return f"New conversation, {_plural(count, 'post')}" + (
            f", {_plural(conversation.people, 'person')}." if count > 1 else "."
        )
    return f"{count} new of {_plural(conversation.total, 'post')}, {_plural(conversation.people, 'person')}."


def _clock(moment: datetime, issue: DigestIssue, *, dated: bool) -> str:
    local = moment.astimezone(ZoneInfo(issue.zone))
    if dated:
        return f"{local:%A} {local.day} {local:%B}"
    recent = (issue.moment - moment).days < 6
    return f"{local:%A} {local:%H:%M}" if recent else f"{local:%A} {local.day} {local:%B} {local:%H:%M}"


def _post_head(post: DigestPost, positions: dict[int, int], issue: DigestIssue) -> str:
    you = " (you)" if post.author_id == issue.reader_id else ""
    return f"#{positions[post.number]} {post.author}{you}, {_clock(post.date, issue, dated=False)}"


def _context(post: DigestPost, positions: dict[int, int], issue: DigestIssue) -> str:
    """Who is answered, and a few words of it; a parent outside this digest is named by its date."""
    if not post.parent_author:
        return ""
    where = f" (#{positions[post.parent]})" if post.parent in positions else ""
    when = "" if where or post.parent_date is None else f", {_clock(post.parent_date, issue, dated=True)}"
    words = f' "{post.parent_excerpt}"' if post.parent_excerpt else ""
    return f"In reply to {post.parent_author}{where or when}:{words}"


def excerpt(text: str, limit: int = _EXCERPT) -> str:
    """The first words of a text on one line."""
    words = " ".join(line for line in text.split("\n") if not line.startswith(">")).split()
    flat = " ".join(words)
    if len(flat) <= limit:
        return flat
    return flat[:limit].rsplit(" ", 1)[0].rstrip(" ,.;:") + " ..."


def _wrapped(line: str) -> list[str]:
    """A line of at most 72 columns; quoted lines keep their marks when they are broken."""
    if line == "-- ":
        return [line]
    stripped = line.rstrip()
    if stripped.startswith(">"):
        mark = stripped[: len(stripped) - len(stripped.lstrip("> "))]
        return [mark + piece for piece in wrap_line(stripped[len(mark) :], 72 - len(mark))]
    return wrap_line(stripped)


def _single_blanks(lines: Sequence[str]) -> str:
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept).strip("\n") + "\n"
