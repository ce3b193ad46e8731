"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "answered",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("address_key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "id", name=op.f("pk_answered")),
    )
    with op.batch_alter_table("answered", schema=None) as batch_op:
        batch_op.create_index("ix_answered_address_key", ["address_key", "at"], unique=False)

    op.create_table(
        "awaited",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("post_number", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "message_id", "post_number", name=op.f("pk_awaited")),
    )
    op.create_table(
        "counter",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counter")),
    )
    op.create_table(
        "delivery",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("outgoing_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("lease", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reply", sa.String(), nullable=False),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'sent', 'retry', 'hold', 'failed', 'ambiguous', 'dropped')",
            name=op.f("ck_delivery_state"),
        ),
        sa.PrimaryKeyConstraint("list_id", "outgoing_id", "member_id", name=op.f("pk_delivery")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(
            "ix_delivery_due",
            ["state", "due"],
            unique=False,
            sqlite_where=sa.text("state IN ('queued', 'retry', 'ambiguous', 'sending')"),
            postgresql_where=sa.text("state IN ('queued', 'retry', 'ambiguous', 'sending')"),
        )

    op.create_table(
        "digest_entry",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("post_number", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "member_id", "day", "post_number", name=op.f("pk_digest_entry")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "digest_issue",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("first_post", sa.Integer(), nullable=False),
        sa.Column("last_post", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("outgoing_id", sa.BigInteger(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "member_id", "day", name=op.f("pk_digest_issue")),
    )
    with op.batch_alter_table("digest_issue", schema=None) as batch_op:
        batch_op.create_index("ix_digest_issue_token", ["list_id", "token"], unique=False)

    op.create_table(
        "evidence",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("post_number", sa.Integer(), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=True),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("chosen", sa.Boolean(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("list_id", "post_number", "id", name=op.f("pk_evidence")),
    )
    op.create_table(
        "incoming",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("original_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("reverse_path", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("helo", sa.String(), nullable=False),
        sa.Column("protocol", sa.String(), nullable=False),
        sa.Column("trusted", sa.Boolean(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("post_number", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "state IN ('posted', 'held', 'rejected', 'discarded', 'duplicate', 'command', 'bounce', 'owner', 'asked', 'ignored', 'quarantined', 'in_flight')",
            name=op.f("ck_incoming_state"),
        ),
        sa.PrimaryKeyConstraint("list_id", "id", name=op.f("pk_incoming")),
    )
    with op.batch_alter_table("incoming", schema=None) as batch_op:
        batch_op.create_index(
            "ix_incoming_open",
            ["list_id", "state", "id"],
            unique=False,
            sqlite_where=sa.text("state IN ('in_flight', 'held', 'asked')"),
            postgresql_where=sa.text("state IN ('in_flight', 'held', 'asked')"),
        )

    op.create_table(
        "list_option",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "key", name=op.f("pk_list_option")),
    )
    op.create_table(
        "mailing_list",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("address", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_post", sa.Integer(), nullable=False),
        sa.Column("next_member", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailing_list")),
        sa.UniqueConstraint("address", name=op.f("uq_mailing_list_address")),
    )
    op.create_table(
        "member",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("address_key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivery", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("digest_at", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("paused_until", sa.String(), nullable=False),
        sa.Column("moderated", sa.String(), nullable=False),
        sa.Column("receipts", sa.String(), nullable=False),
        sa.Column("own_copies", sa.String(), nullable=False),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.Column("digest_due", sa.DateTime(timezone=True), nullable=True),
        sa.Column("digest_through", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "id", name=op.f("pk_member")),
        sa.UniqueConstraint("list_id", "address_key", name=op.f("uq_member_list_id_address_key")),
    )
    with op.batch_alter_table("member", schema=None) as batch_op:
        batch_op.create_index("ix_member_address_key", ["address_key"], unique=False)
        batch_op.create_index(
            "ix_member_digest_due",
            ["digest_due"],
            unique=False,
            sqlite_where=sa.text("digest_due IS NOT NULL"),
            postgresql_where=sa.text("digest_due IS NOT NULL"),
        )

    op.create_table(
        "original",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "id", name=op.f("pk_original")),
    )
    op.create_table(
        "outgoing",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("original_id", sa.BigInteger(), nullable=False),
        sa.Column("post_number", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("null_sender", sa.Boolean(), nullable=False),
        sa.Column("rewrite_author", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.CheckConstraint("kind IN ('post', 'notice', 'digest')", name=op.f("ck_outgoing_kind")),
        sa.PrimaryKeyConstraint("list_id", "id", name=op.f("pk_outgoing")),
    )
    with op.batch_alter_table("outgoing", schema=None) as batch_op:
        batch_op.create_index("ix_outgoing_post", ["list_id", "post_number"], unique=False)

    op.create_table(
        "post",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("original_id", sa.BigInteger(), nullable=False),
        sa.Column("incoming_id", sa.BigInteger(), nullable=True),
        sa.Column("member_id", sa.Integer(), nullable=True),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("author_name", sa.String(), nullable=False),
        sa.Column("author_address", sa.String(), nullable=False),
        sa.Column("date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("base_subject", sa.String(), nullable=False),
        sa.Column("conversation", sa.Integer(), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("flags", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "number", name=op.f("pk_post")),
    )
    with op.batch_alter_table("post", schema=None) as batch_op:
        batch_op.create_index("ix_post_conversation", ["list_id", "conversation", "number"], unique=False)
        batch_op.create_index("ix_post_message_id", ["list_id", "message_id"], unique=False)
        batch_op.create_index("ix_post_subject", ["list_id", "base_subject", "number"], unique=False)
        batch_op.create_index("ix_post_token", ["list_id", "token"], unique=False)

    op.create_table(
        "question",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("address_key", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("incoming_id", sa.BigInteger(), nullable=True),
        sa.Column("data", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "token_hash", name=op.f("pk_question")),
    )
    with op.batch_alter_table("question", schema=None) as batch_op:
        batch_op.create_index("ix_question_address", ["list_id", "address_key", "kind"], unique=False)

    op.create_table(
        "report",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("incoming_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "id", name=op.f("pk_report")),
    )
    with op.batch_alter_table("report", schema=None) as batch_op:
        batch_op.create_index("ix_report_member_id", ["list_id", "member_id", "at"], unique=False)

    op.execute("INSERT INTO counter (name, next) VALUES ('id', 1)")


def downgrade() -> None:
    with op.batch_alter_table("report", schema=None) as batch_op:
        batch_op.drop_index("ix_report_member_id")

    op.drop_table("report")
    with op.batch_alter_table("question", schema=None) as batch_op:
        batch_op.drop_index("ix_question_address")

    op.drop_table("question")
    with op.batch_alter_table("post", schema=None) as batch_op:
        batch_op.drop_index("ix_post_token")
        batch_op.drop_index("ix_post_subject")
        batch_op.drop_index("ix_post_message_id")
        batch_op.drop_index("ix_post_conversation")

    op.drop_table("post")
    with op.batch_alter_table("outgoing", schema=None) as batch_op:
        batch_op.drop_index("ix_outgoing_post")

    op.drop_table("outgoing")
    op.drop_table("original")
    with op.batch_alter_table("member", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_member_digest_due",
            sqlite_where=sa.text("digest_due IS NOT NULL"),
            postgresql_where=sa.text("digest_due IS NOT NULL"),
        )
        batch_op.drop_index("ix_member_address_key")

    op.drop_table("member")
    op.drop_table("mailing_list")
    op.drop_table("list_option")
    with op.batch_alter_table("incoming", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_incoming_open",
            sqlite_where=sa.text("state IN ('in_flight', 'held', 'asked')"),
            postgresql_where=sa.text("state IN ('in_flight', 'held', 'asked')"),
        )

    op.drop_table("incoming")
    op.drop_table("evidence")
    with op.batch_alter_table("digest_issue", schema=None) as batch_op:
        batch_op.drop_index("ix_digest_issue_token")

    op.drop_table("digest_issue")
    op.drop_table("digest_entry")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_delivery_due",
            sqlite_where=sa.text("state IN ('queued', 'retry', 'ambiguous', 'sending')"),
            postgresql_where=sa.text("state IN ('queued', 'retry', 'ambiguous', 'sending')"),
        )

    op.drop_table("delivery")
    op.drop_table("counter")
    op.drop_table("awaited")
    with op.batch_alter_table("answered", schema=None) as batch_op:
        batch_op.drop_index("ix_answered_address_key")

    op.drop_table("answered")
