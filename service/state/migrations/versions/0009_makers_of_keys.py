"""Which key made a key, so that they end together."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("made_by", sa.String(16), nullable=True))


def downgrade() -> None:
    op.drop_column("api_keys", "made_by")
