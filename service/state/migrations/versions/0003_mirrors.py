"""Mirrors: what is known of each slice, and of each pair of buckets."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "mirror_slices",
        sa.Column("mirror", sa.String(60), primary_key=True),
        sa.Column("source", sa.String(500), primary_key=True),
        sa.Column("target", sa.String(500), primary_key=True),
        sa.Column("start_ns", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("points", sa.BigInteger, nullable=False),
        sa.Column("source_counts", sa.String(120), nullable=False),
        sa.Column("target_counts", sa.String(120), nullable=False),
        sa.Column("checksum", sa.String(40), nullable=True),
        sa.Column("rejected", sa.BigInteger, nullable=False),
        sa.Column("compared_at", sa.Float, nullable=False),
        sa.Column("summed_at", sa.Float, nullable=True),
    )
    op.create_table(
        "mirror_pairs",
        sa.Column("mirror", sa.String(60), primary_key=True),
        sa.Column("source", sa.String(500), primary_key=True),
        sa.Column("target", sa.String(500), primary_key=True),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("step_ns", sa.BigInteger, nullable=False),
        sa.Column("counted_at", sa.Float, nullable=True),
        sa.Column("succeeded_at", sa.Float, nullable=True),
        sa.Column("copied", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("mirror_pairs")
    op.drop_table("mirror_slices")
