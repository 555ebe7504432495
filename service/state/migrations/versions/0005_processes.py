"""Signs of life of processes; and on PostgreSQL, notifications when jobs can start or the configuration changed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_FUNCTION = """
CREATE FUNCTION fluxgate_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('fluxgate', TG_TABLE_NAME);
  RETURN NULL;
END $$
"""
_TRIGGERS = {
    "jobs": "AFTER INSERT OR UPDATE OF state ON jobs",
    "configuration": "AFTER INSERT OR UPDATE OR DELETE ON configuration",
}
"""A run's progress and its lease change no `state`, so they notify nobody."""


def upgrade() -> None:
    op.create_table(
        "processes",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("seen_at", sa.Float, nullable=False),
        sa.Column("left_at", sa.Float, nullable=True),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_FUNCTION)
        for table, event in _TRIGGERS.items():
            op.execute(f"CREATE TRIGGER fluxgate_{table} {event} FOR EACH STATEMENT EXECUTE FUNCTION fluxgate_notify()")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in _TRIGGERS:
            op.execute(f"DROP TRIGGER fluxgate_{table} ON {table}")
        op.execute("DROP FUNCTION fluxgate_notify()")
    op.drop_table("processes")
