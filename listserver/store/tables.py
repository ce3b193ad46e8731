"""All tables, thin: constraints and indexes say the rules.

Every table that belongs to a list leads with the list's key, so that lists can later be spread over database
nodes; list 0 is the site itself (postmaster, mail for no list). Surprise: rows of the hot path (`delivery`,
`fingerprint`) live in tables clustered by their key on SQLite (WITHOUT ROWID), because one post makes many of them.
No postponed annotations here: SQLModel reads them when the classes are made.
"""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

SQLModel.metadata.naming_convention = {  # names that migrations on both databases can rely on
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "pk": "pk_%(table_name)s",
}


class IncomingState(StrEnum):
    """The one recorded end of each accepted mail at each of its destinations."""

    posted = "posted"
    held = "held"
    rejected = "rejected"
    discarded = "discarded"
    duplicate = "duplicate"
    command = "command"
    bounce = "bounce"
    owner = "owner"
    asked = "asked"
    ignored = "ignored"
    quarantined = "quarantined"
    in_flight = "in_flight"


class DeliveryState(StrEnum):
    """One recipient's share of one outgoing mail."""

    queued = "queued"
    sending = "sending"
    sent = "sent"
    retry = "retry"
    hold = "hold"
    failed = "failed"
    ambiguous = "ambiguous"
    dropped = "dropped"


class OutgoingKind(StrEnum):
    """What an outgoing mail is; it decides how its copies are built."""

    post = "post"
    notice = "notice"
    digest = "digest"


def _one_of(column: str, values: type[StrEnum]) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} IN ({', '.join(repr(v.value) for v in values)})", name=column)


class Counter(SQLModel, table=True):
    """Numbers that are handed out once, in blocks."""

    __tablename__ = "counter"
    name: str = Field(primary_key=True)
    next: int = Field(sa_type=sa.BigInteger)


class MailingListRow(SQLModel, table=True):
    """A list: its address, and the counters that its row lock guards."""

    __tablename__ = "mailing_list"
    id: int = Field(primary_key=True, sa_type=sa.BigInteger, sa_column_kwargs={"autoincrement": False})
    address: str = Field(unique=True, max_length=255)
    created_at: datetime
    next_post: int = 1
    next_member: int = 1
    version: int = 1


class ListOption(SQLModel, table=True):
    """One option of a list that differs from its default."""

    __tablename__ = "list_option"
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    key: str = Field(primary_key=True, max_length=64)
    value: str


class MemberRow(SQLModel, table=True):
    """An address on a list, with its role, state and settings; empty settings follow the list."""

    __tablename__ = "member"
    __table_args__ = (
        sa.UniqueConstraint("list_id", "address_key"),
        sa.Index(
            "ix_member_digest_due",
            "digest_due",
            sqlite_where=sa.text("digest_due IS NOT NULL"),
            postgresql_where=sa.text("digest_due IS NOT NULL"),
        ),
        sa.Index("ix_member_address_key", "address_key"),
    )
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    id: int = Field(primary_key=True)
    address: str
    address_key: str
    name: str = ""
    role: str = "member"
    state: str = "active"
    since: datetime
    left_at: datetime | None = None
    delivery: str = "each"
    format: str = "html"
    timezone: str = ""
    digest_at: str = ""
    language: str = ""
    paused_until: str = ""
    moderated: str = "no"
    receipts: str = "first"
    own_copies: str = ""
    posts: int = 0
    digest_due: datetime | None = None
    digest_through: int = 0


class Original(SQLModel, table=True):
    """Bytes exactly as accepted (incoming mail) or as written by us (notices, digests)."""

    __tablename__ = "original"
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    raw: bytes


class Incoming(SQLModel, table=True):
    """One accepted mail at one destination: the unit that must end in exactly one state."""

    __tablename__ = "incoming"
    __table_args__ = (
        _one_of("state", IncomingState),
        sa.Index(
            "ix_incoming_open",
            "list_id",
            "state",
            "id",
            sqlite_where=sa.text("state IN ('in_flight', 'held', 'asked')"),
            postgresql_where=sa.text("state IN ('in_flight', 'held', 'asked')"),
        ),
        sa.Index(
            "ix_incoming_repeated",
            "list_id",
            "post_number",
            sqlite_where=sa.text("state = 'duplicate'"),
            postgresql_where=sa.text("state = 'duplicate'"),
        ),
    )
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    original_id: int = Field(sa_type=sa.BigInteger)
    state: str = "in_flight"
    kind: str
    recipient: str
    token: str = ""
    reverse_path: str = ""
    peer: str = ""
    helo: str = ""
    protocol: str = ""
    trusted: bool = False
    received_at: datetime
    attempts: int = 0
    detail: str = ""
    post_number: int | None = None


class Post(SQLModel, table=True):
    """A message accepted for a list and archived."""

    __tablename__ = "post"
    __table_args__ = (
        sa.Index("ix_post_message_id", "list_id", "message_id"),
        sa.Index("ix_post_conversation", "list_id", "conversation", "number"),
        sa.Index("ix_post_token", "list_id", "token"),
        sa.Index("ix_post_subject", "list_id", "base_subject", "number"),
    )
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    number: int = Field(primary_key=True)
    original_id: int = Field(sa_type=sa.BigInteger)
    incoming_id: int | None = Field(default=None, sa_type=sa.BigInteger)
    member_id: int | None = None
    message_id: str
    content_hash: bytes
    author_name: str = ""
    author_address: str = ""
    date: datetime
    accepted_at: datetime
    subject: str = ""
    base_subject: str = ""
    conversation: int
    parent: int | None = None
    kind: str = "none"
    score: float = 1.0
    token: str
    size: int = 0
    flags: str = ""


class Evidence(SQLModel, table=True):
    """One piece of evidence for a post's place; exactly one row of a post is chosen."""

    __tablename__ = "evidence"
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    post_number: int = Field(primary_key=True)
    id: int = Field(primary_key=True)
    kind: str
    parent: int | None = None
    message_id: str = ""
    score: float = 0.0
    detail: str = ""
    chosen: bool = False
    made_by: str = ""
    made_at: datetime
    undone_at: datetime | None = None


class Awaited(SQLModel, table=True):
    """A Message-ID that a post named, nearer than the parent it has, and that we do not hold: a ghost."""

    __tablename__ = "awaited"
    __table_args__ = (sa.Index("ix_awaited_post_number", "list_id", "post_number", "rank"),)
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    message_id: str = Field(primary_key=True)
    post_number: int = Field(primary_key=True)
    rank: int = 0
    field: str = "references"


class PostText(SQLModel, table=True):
    """What a post's text says, as `lists.fingerprints` reads it: the lower halves of fingerprints, packed.

    `own` those of the writer's own words, `whole` all of them, `tail` the last of the text; `written` in seconds since 1970.
    """

    __tablename__ = "post_text"
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    number: int = Field(primary_key=True)
    rules: int
    written: int = Field(sa_type=sa.BigInteger)
    own: bytes
    whole: bytes
    tail: bytes


class Fingerprint(SQLModel, table=True):
    """Which posts of a list wrote these four words themselves."""

    __tablename__ = "fingerprint"
    __table_args__ = ({"sqlite_with_rowid": False},)
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    hash: int = Field(primary_key=True, sa_type=sa.BigInteger)
    number: int = Field(primary_key=True)


class AwaitedText(SQLModel, table=True):
    """Words that a post quotes and that no post held when it was placed: a ghost that is known by its text."""

    __tablename__ = "awaited_text"
    __table_args__ = (
        sa.Index("ix_awaited_text_number", "list_id", "number"),
        {"sqlite_with_rowid": False},
    )
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    hash: int = Field(primary_key=True, sa_type=sa.BigInteger)
    number: int = Field(primary_key=True)


class Quotation(SQLModel, table=True):
    """A post that another one quotes, parent or not; `shared` counts the fingerprints."""

    __tablename__ = "quotation"
    __table_args__ = ({"sqlite_with_rowid": False},)
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    number: int = Field(primary_key=True)
    quoted: int = Field(primary_key=True)
    shared: int


class ListFooter(SQLModel, table=True):
    """What most posts of a list end with, learnt from those before `learnt_at`."""

    __tablename__ = "list_footer"
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    learnt_at: int
    hashes: bytes


class Imported(SQLModel, table=True):
    """A post that came out of an archive, not by mail: it has no row of `incoming`, and was never sent to anyone.

    The separator line of its mbox file is kept, so that an export gives the file back byte for byte.
    """

    __tablename__ = "imported"
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    post_number: int = Field(primary_key=True)
    separator: bytes = b""
    imported_at: datetime


class Repair(SQLModel, table=True):
    """One repair of a conversation by a person; repairs are undone in the opposite order."""

    __tablename__ = "repair"
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    id: int = Field(primary_key=True)
    action: str
    detail: str
    made_by: str
    made_at: datetime
    undone_by: str = ""
    undone_at: datetime | None = None


class RepairStep(SQLModel, table=True):
    """One post that a repair moved: the evidence chosen before and after, and a post that it then stood together with."""

    __tablename__ = "repair_step"
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    repair_id: int = Field(primary_key=True)
    position: int = Field(primary_key=True)
    post_number: int
    before: int
    after: int
    beside: int | None = None


class SearchMark(SQLModel, table=True):
    """Up to which post a list's words are in the index; the index itself is made by the database's own means."""

    __tablename__ = "search_mark"
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    through: int = 0


class Outgoing(SQLModel, table=True):
    """One mail on its way out, stored once; its recipients are rows of `delivery`."""

    __tablename__ = "outgoing"
    __table_args__ = (
        _one_of("kind", OutgoingKind),
        sa.Index("ix_outgoing_post", "list_id", "post_number"),
    )
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    kind: str
    original_id: int = Field(sa_type=sa.BigInteger)
    post_number: int | None = None
    created_at: datetime
    null_sender: bool = False
    rewrite_author: bool = False
    reason: str = ""


class Delivery(SQLModel, table=True):
    """One recipient's share of one outgoing mail.

    `due` is microseconds since 1970: the next attempt of a retry, the end of the lease of one being sent, and for a
    queued row its turn (acceptance time plus a millisecond per recipient), so that a small post is not kept waiting
    behind a large one.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        _one_of("state", DeliveryState),
        sa.Index(
            "ix_delivery_due",
            "state",
            "due",
            sqlite_where=sa.text("state IN ('queued', 'retry', 'ambiguous', 'sending')"),
            postgresql_where=sa.text("state IN ('queued', 'retry', 'ambiguous', 'sending')"),
        ),
        {"sqlite_with_rowid": False},
    )
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    outgoing_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    member_id: int = Field(primary_key=True)
    address: str
    state: str = "queued"
    due: int = Field(sa_type=sa.BigInteger)
    lease: int = 0
    attempts: int = 0
    reply: str = ""


class DigestIssue(SQLModel, table=True):
    """One member's digest of one local day: the row that makes it happen once."""

    __tablename__ = "digest_issue"
    __table_args__ = (sa.Index("ix_digest_issue_token", "list_id", "token"),)
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    member_id: int = Field(primary_key=True)
    day: str = Field(primary_key=True, max_length=10)
    first_post: int
    last_post: int
    token: str
    outgoing_id: int | None = Field(default=None, sa_type=sa.BigInteger)
    made_at: datetime


class DigestEntry(SQLModel, table=True):
    """Which post stood in which digest, and under which number."""

    __tablename__ = "digest_entry"
    __table_args__ = ({"sqlite_with_rowid": False},)
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    member_id: int = Field(primary_key=True)
    day: str = Field(primary_key=True, max_length=10)
    post_number: int = Field(primary_key=True)
    position: int


class Question(SQLModel, table=True):
    """A question we asked by mail: its token stored hashed, for one purpose and one address."""

    __tablename__ = "question"
    __table_args__ = (sa.Index("ix_question_address", "list_id", "address_key", "kind"),)
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    token_hash: bytes = Field(primary_key=True)
    kind: str
    address: str
    address_key: str
    asked_at: datetime
    expires_at: datetime
    answered_at: datetime | None = None
    incoming_id: int | None = Field(default=None, sa_type=sa.BigInteger)
    data: str = "{}"


class Answered(SQLModel, table=True):
    """An answer that left, for the limits of answers to one address."""

    __tablename__ = "answered"
    __table_args__ = (sa.Index("ix_answered_address_key", "address_key", "at"),)
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    address_key: str
    name: str
    at: datetime


class Report(SQLModel, table=True):
    """What came back for a delivery: a mail to one of our return-paths, or the relay's refusal (then `incoming_id` is empty).

    `tell`: the people who run the list are still to be told of it by name.
    """

    __tablename__ = "report"
    __table_args__ = (
        sa.Index("ix_report_member_id", "list_id", "member_id", "at"),
        sa.Index("ix_report_tell", "list_id", "id", sqlite_where=sa.text("tell"), postgresql_where=sa.text("tell")),
    )
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    incoming_id: int | None = Field(default=None, sa_type=sa.BigInteger)
    member_id: int | None = None
    at: datetime
    action: str = ""
    status: str = ""
    recipient: str = ""
    detail: str = ""
    weight: str = ""
    reason: str = ""
    tell: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})


class Bounce(SQLModel, table=True):
    """A member whose mail comes back: since when, why, and when the clock has to look again."""

    __tablename__ = "bounce"
    __table_args__ = (
        sa.Index(
            "ix_bounce_next_at",
            "next_at",
            sqlite_where=sa.text("next_at IS NOT NULL"),
            postgresql_where=sa.text("next_at IS NOT NULL"),
        ),
    )
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    member_id: int = Field(primary_key=True)
    since: datetime
    last_at: datetime
    weight: str
    reason: str
    detail: str = ""
    refused: bool = False
    probe_at: datetime | None = None
    paused_at: datetime | None = None
    tries: int = 0
    next_at: datetime | None = None


class BounceDay(SQLModel, table=True):
    """What came back for a member on one day: how many mails, and the one score that they make together."""

    __tablename__ = "bounce_day"
    list_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    member_id: int = Field(primary_key=True)
    day: str = Field(primary_key=True, max_length=10)
    returned: int
    points: float


def table_of(model: type[SQLModel]) -> sa.Table:
    """The table behind a model, for Core statements."""
    return SQLModel.metadata.tables[str(model.__tablename__)]
