"""Whether there is a state database yet, told without making one."""

from pathlib import Path

import sqlalchemy as sa

from service.state.database import StateDatabase


def is_made(address: sa.URL) -> bool:
    """Some version of Fluxgate has made its tables there. Raises ConfigurationError, NotReady."""
    if address.get_backend_name() == "sqlite":
        return _holds_something(address.database or "")
    database = StateDatabase(address)
    try:
        with database.read() as connection:
            return sa.inspect(connection).has_table("alembic_version")
    finally:
        database.close()


def _holds_something(file: str) -> bool:
    """A file of SQLite; one that is named by a URI of its own counts, because only SQLite knows where it leads."""
    if file.startswith("file:"):
        return True
    path = Path(file)
    return path.is_file() and path.stat().st_size > 0


def shown(address: sa.URL) -> str:
    """`address` for people: the whole path of a file, or the address without its password."""
    if address.get_backend_name() == "sqlite" and address.database and not address.database.startswith("file:"):
        return str(Path(address.database).resolve())
    return address.render_as_string(hide_password=True)
