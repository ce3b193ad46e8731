"""What comes back: its weight on each report, and the members whose mail does."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("report", schema=None) as batch_op:
        batch_op.alter_column("incoming_id", existing_type=sa.BigInteger(), nullable=True)
        batch_op.add_column(sa.Column("weight", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("reason", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("tell", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("report", schema=None) as batch_op:
        batch_op.alter_column("weight", existing_type=sa.String(), server_default=None)
        batch_op.alter_column("reason", existing_type=sa.String(), server_default=None)
        batch_op.create_index(
            "ix_report_tell", ["list_id", "id"], unique=False, sqlite_where=sa.text("tell"), postgresql_where=sa.text("tell")
        )
    op.create_table(
        "bounce",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("weight", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("probe_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("list_id", "member_id", name=op.f("pk_bounce")),
    )
    op.create_index(
        "ix_bounce_next_at",
        "bounce",
        ["next_at"],
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_table(
        "bounce_day",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("returned", sa.Integer(), nullable=False),
        sa.Column("points", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "member_id", "day", name=op.f("pk_bounce_day")),
    )


def downgrade() -> None:
    op.drop_table("bounce_day")
    op.drop_index("ix_bounce_next_at", "bounce")
    op.drop_table("bounce")
    op.execute("DELETE FROM report WHERE incoming_id IS NULL")
    with op.batch_alter_table("report", schema=None) as batch_op:
        batch_op.drop_index("ix_report_tell")
        batch_op.drop_column("tell")
        batch_op.drop_column("reason")
        batch_op.drop_column("weight")
        batch_op.alter_column("incoming_id", existing_type=sa.BigInteger(), nullable=False)
