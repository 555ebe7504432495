"""The table of watches in the state database. Migration 0008 creates it."""

import sqlalchemy as sa

from service.state.tables import metadata

watch_states = sa.Table(
    "watch_states",
    metadata,
    sa.Column("name", sa.String(60), primary_key=True),
    sa.Column("bucket", sa.Text, nullable=False),
    sa.Column("looked_at", sa.Float, nullable=True),
    sa.Column("error", sa.Text, nullable=True),
    sa.Column("series", sa.Integer, nullable=False),
    sa.Column("silent", sa.JSON, nullable=False),
    sa.Column("notices", sa.JSON, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
)
