"""The tables of connectors in the state database. Migration 0006 creates them."""

import sqlalchemy as sa

from service.state.tables import metadata

connector_bookmarks = sa.Table(
    "connector_bookmarks",
    metadata,
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
    sa.Column("stopped", sa.JSON(none_as_null=True), nullable=True),
    sa.Column("points_read", sa.BigInteger, nullable=False),
    sa.Column("points_accepted", sa.BigInteger, nullable=False),
    sa.Column("points_refused", sa.BigInteger, nullable=False),
    sa.Column("posts", sa.BigInteger, nullable=False),
    sa.Column("posts_unknown", sa.BigInteger, nullable=False),
)

connector_windows = sa.Table(
    "connector_windows",
    metadata,
    sa.Column("name", sa.String(60), primary_key=True),
    sa.Column("slot_ns", sa.BigInteger, primary_key=True),
    sa.Column("length_ns", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(120), nullable=False),
)

connector_dead_letters = sa.Table(
    "connector_dead_letters",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(60), nullable=False),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("time_ns", sa.BigInteger, nullable=False),
    sa.Column("letter", sa.JSON, nullable=False),
    sa.UniqueConstraint("name", "fingerprint", name="connector_dead_letter_once"),
)
