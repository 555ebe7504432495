"""The tables of backups in the state database. Migration 0004 creates them."""

import sqlalchemy as sa

from service.state.tables import metadata

backup_proofs = sa.Table(
    "backup_proofs",
    metadata,
    sa.Column("place", sa.String(300), primary_key=True),
    sa.Column("backup_id", sa.String(40), primary_key=True),
    sa.Column("verified_at", sa.Float, nullable=True),
    sa.Column("verify_outcome", sa.String(16), nullable=True),
    sa.Column("verify_detail", sa.Text, nullable=True),
    sa.Column("drilled_at", sa.Float, nullable=True),
    sa.Column("drill_outcome", sa.String(16), nullable=True),
    sa.Column("drill_detail", sa.Text, nullable=True),
)

backup_slices = sa.Table(
    "backup_slices",
    metadata,
    sa.Column("place", sa.String(300), primary_key=True),
    sa.Column("backup_id", sa.String(40), primary_key=True),
    sa.Column("file", sa.String(500), primary_key=True),
    sa.Column("written", sa.JSON, nullable=False),
)
