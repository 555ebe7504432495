"""The tables of mirrors in the state database. Migrations 0003 and 0007 create them."""

import sqlalchemy as sa

from service.state.tables import metadata

mirror_slices = sa.Table(
    "mirror_slices",
    metadata,
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

mirror_pairs = sa.Table(
    "mirror_pairs",
    metadata,
    sa.Column("mirror", sa.String(60), primary_key=True),
    sa.Column("source", sa.String(500), primary_key=True),
    sa.Column("target", sa.String(500), primary_key=True),
    sa.Column("identity", sa.String(64), nullable=False),
    sa.Column("step_ns", sa.BigInteger, nullable=False),
    sa.Column("counted_at", sa.Float, nullable=True),
    sa.Column("succeeded_at", sa.Float, nullable=True),
    sa.Column("copied", sa.BigInteger, nullable=False),
)

mirror_lateness = sa.Table(
    "mirror_lateness",
    metadata,
    sa.Column("store", sa.String(64), primary_key=True),
    sa.Column("bucket", sa.String(500), primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("late_ns", sa.BigInteger, nullable=False),
)
