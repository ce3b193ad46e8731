"""Two indexes for what explains a post's place: the ids that it awaits, and the mails that were the same."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_awaited_post_number", "awaited", ["list_id", "post_number", "rank"])
    op.create_index(
        "ix_incoming_repeated",
        "incoming",
        ["list_id", "post_number"],
        sqlite_where=sa.text("state = 'duplicate'"),
        postgresql_where=sa.text("state = 'duplicate'"),
    )


def downgrade() -> None:
    op.drop_index("ix_incoming_repeated", "incoming")
    op.drop_index("ix_awaited_post_number", "awaited")
