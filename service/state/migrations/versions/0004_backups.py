"""Backups: what verifications and drills said of each, and the slices of those that are under way."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "backup_proofs",
        sa.Column("place", sa.String(300), primary_key=True),
        sa.Column("backup_id", sa.String(40), primary_key=True),
        sa.Column("verified_at", sa.Float, nullable=True),
        sa.Column("verify_outcome", sa.String(16), nullable=True),
        sa.Column("verify_detail", sa.Text, nullable=True),
        sa.Column("drilled_at", sa.Float, nullable=True),
        sa.Column("drill_outcome", sa.String(16), nullable=True),
        sa.Column("drill_detail", sa.Text, nullable=True),
    )
    op.create_table(
        "backup_slices",
        sa.Column("place", sa.String(300), primary_key=True),
        sa.Column("backup_id", sa.String(40), primary_key=True),
        sa.Column("file", sa.String(500), primary_key=True),
        sa.Column("written", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("backup_slices")
    op.drop_table("backup_proofs")
