"""Inserts that say what to do where a row is there already, as SQLite and PostgreSQL can."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def insert_into(table: sa.Table, dialect: sa.Dialect) -> postgresql.Insert | sqlite.Insert:
    """An insert with `on_conflict_do_nothing` and `on_conflict_do_update`, for the database with this `dialect`."""
    return postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table)
