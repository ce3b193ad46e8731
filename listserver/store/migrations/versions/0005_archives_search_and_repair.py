"""Imported posts, the full-text index, and repairs of conversations."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "imported",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("post_number", sa.Integer(), nullable=False),
        sa.Column("separator", sa.LargeBinary(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "post_number", name=op.f("pk_imported")),
    )
    op.create_table(
        "repair",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_by", sa.String(), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("list_id", "id", name=op.f("pk_repair")),
    )
    op.create_table(
        "repair_step",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("repair_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("post_number", sa.Integer(), nullable=False),
        sa.Column("before", sa.Integer(), nullable=False),
        sa.Column("after", sa.Integer(), nullable=False),
        sa.Column("beside", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("list_id", "repair_id", "position", name=op.f("pk_repair_step")),
    )
    op.create_table(
        "search_mark",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("through", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", name=op.f("pk_search_mark")),
    )
    if op.get_bind().dialect.name == "sqlite":
        # The words come ready-made and separated by spaces: `ascii` splits at these and changes nothing else. The index
        # holds no text of its own; ranking is by date, so sizes are not kept either.
        op.execute("CREATE VIRTUAL TABLE search_words USING fts5(words, content='', columnsize=0, tokenize='ascii')")
    else:
        op.execute(
            "CREATE TABLE search_words (list_id BIGINT NOT NULL, post_number INTEGER NOT NULL, words TSVECTOR NOT NULL, "
            "CONSTRAINT pk_search_words PRIMARY KEY (list_id, post_number))"
        )
        op.execute("CREATE INDEX ix_search_words_words ON search_words USING gin (words)")


def downgrade() -> None:
    op.execute("DROP TABLE search_words")
    for table in ("search_mark", "repair_step", "repair", "imported"):
        op.drop_table(table)
