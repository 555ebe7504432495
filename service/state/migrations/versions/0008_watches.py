"""Watches: which series are silent, and notices that a webhook has not taken yet."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "watch_states",
        sa.Column("name", sa.String(60), primary_key=True),
        sa.Column("bucket", sa.Text, nullable=False),
        sa.Column("looked_at", sa.Float, nullable=True),
        sa.Column("error", sa.Text, nullable=True),
        sa.Column("series", sa.Integer, nullable=False),
        sa.Column("silent", sa.JSON, nullable=False),
        sa.Column("notices", sa.JSON, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("watch_states")
