"""Fingerprints of posts, what they quote, and what is awaited by its text."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "post_text",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("rules", sa.Integer(), nullable=False),
        sa.Column("written", sa.BigInteger(), nullable=False),
        sa.Column("own", sa.LargeBinary(), nullable=False),
        sa.Column("whole", sa.LargeBinary(), nullable=False),
        sa.Column("tail", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "number", name=op.f("pk_post_text")),
    )
    for name in ("fingerprint", "awaited_text"):
        op.create_table(
            name,
            sa.Column("list_id", sa.BigInteger(), nullable=False),
            sa.Column("hash", sa.BigInteger(), nullable=False),
            sa.Column("number", sa.Integer(), nullable=False),
            sa.PrimaryKeyConstraint("list_id", "hash", "number", name=op.f(f"pk_{name}")),
            sqlite_with_rowid=False,
        )
    op.create_index("ix_awaited_text_number", "awaited_text", ["list_id", "number"], unique=False)
    op.create_table(
        "quotation",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("quoted", sa.Integer(), nullable=False),
        sa.Column("shared", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "number", "quoted", name=op.f("pk_quotation")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "list_footer",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("learnt_at", sa.Integer(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", name=op.f("pk_list_footer")),
    )


def downgrade() -> None:
    for name in ("list_footer", "quotation", "awaited_text", "fingerprint", "post_text"):
        op.drop_table(name)
