"""Connectors: how far each is, digests of accepted windows, and values that an upstream refused."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "connector_bookmarks",
        sa.Column("name", sa.String(60), primary_key=True),
        sa.Column("began_ns", sa.BigInteger, nullable=True),
        sa.Column("bookmark_ns", sa.BigInteger, nullable=True),
        sa.Column("ahead", sa.JSON, nullable=False),
        sa.Column("live_from_ns", sa.BigInteger, nullable=True),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("set_by", sa.String(200), nullable=True),
        sa.Column("accepted_at", sa.Float, nullable=True),
        sa.Column("looked_back_at", sa.Float, nullable=True),
        sa.Column("tried", sa.JSON, nullable=False),
        sa.Column("stopped", sa.JSON, nullable=True),
        sa.Column("points_read", sa.BigInteger, nullable=False),
        sa.Column("points_accepted", sa.BigInteger, nullable=False),
        sa.Column("points_refused", sa.BigInteger, nullable=False),
        sa.Column("posts", sa.BigInteger, nullable=False),
        sa.Column("posts_unknown", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "connector_windows",
        sa.Column("name", sa.String(60), primary_key=True),
        sa.Column("slot_ns", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("length_ns", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(120), nullable=False),
    )
    op.create_table(
        "connector_dead_letters",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("time_ns", sa.BigInteger, nullable=False),
        sa.Column("letter", sa.JSON, nullable=False),
        sa.UniqueConstraint("name", "fingerprint", name="connector_dead_letter_once"),
    )


def downgrade() -> None:
    op.drop_table("connector_dead_letters")
    op.drop_table("connector_windows")
    op.drop_table("connector_bookmarks")
