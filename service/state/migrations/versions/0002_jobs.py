"""Jobs, their logs, and what is known of each schedule.

That one job runs for an exclusion key, and that a schedule's tick makes one job, is held by unique
indexes, so that no number of processes can break it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("sameness", sa.String(64), nullable=False),
        sa.Column("exclusion_key", sa.String(500), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=True),
        sa.Column("schedule", sa.String(200), nullable=True),
        sa.Column("tick", sa.Float, nullable=True),
        sa.Column("run_after", sa.Float, nullable=False),
        sa.Column("sent_at", sa.Float, nullable=True),
        sa.Column("lease_owner", sa.String(200), nullable=True),
        sa.Column("lease_until", sa.Float, nullable=True),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("max_attempts", sa.Integer, nullable=True),
        sa.Column("deadline", sa.Float, nullable=True),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("checkpoint", sa.JSON, nullable=True),
        sa.Column("progress", sa.JSON, nullable=True),
        sa.Column("result", sa.JSON, nullable=True),
        sa.Column("error", sa.JSON, nullable=True),
        sa.Column("started_at", sa.Float, nullable=True),
        sa.Column("finished_at", sa.Float, nullable=True),
        sa.Column("version", sa.Integer, nullable=False),
    )
    running = sa.text("state = 'running'")
    op.create_index(
        "jobs_one_running_a_key", "jobs", ["exclusion_key"], unique=True, sqlite_where=running, postgresql_where=running
    )
    op.create_index("jobs_same", "jobs", ["sameness", "state"])
    op.create_index("jobs_one_a_tick", "jobs", ["schedule", "tick"], unique=True)
    op.create_index("jobs_due", "jobs", ["state", "run_after"])
    op.create_table(
        "job_log",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
    )
    op.create_index("job_log_of_a_job", "job_log", ["job_id", "number"])
    op.create_table(
        "schedules",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("timing", sa.String(500), nullable=False),
        sa.Column("next_run", sa.Float, nullable=True),
        sa.Column("last_run", sa.Float, nullable=True),
        sa.Column("last_job", sa.String(32), nullable=True),
        sa.Column("skipped", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("schedules")
    op.drop_table("job_log")
    op.drop_table("jobs")
