"""How late points of buckets arrive, as mirrors measured it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "mirror_lateness",
        sa.Column("store", sa.String(64), primary_key=True),
        sa.Column("bucket", sa.String(500), primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("late_ns", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("mirror_lateness")
