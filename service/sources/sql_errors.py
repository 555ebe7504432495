"""Errors of databases and their drivers as errors of a store. The driver's text goes to the log only, as `upstream`.

PostgreSQL says what happened by SQLSTATE, but not before there is a session. MySQL and MariaDB say it by numbers, and
SQLite by its text.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from service.errors import (
    FluxgateError,
    QueryRefused,
    StoreDenied,
    StoreError,
    StoreFailed,
    StoreTimeout,
    StoreUnavailable,
)


@dataclass(frozen=True)
class _Meaning:
    """What a failure of the database means."""

    kind: type[StoreError]
    finding: str
    advice: str

    def error(self, upstream: str) -> StoreError:
        return self.kind(f"{self.finding} {self.advice}", upstream=upstream)


_DENIED = _Meaning(
    StoreDenied,
    "The SQL database refuses the user of the address, or what it may read.",
    "Give the user the right to read the table, and check user, password and database in the address.",
)
_WRITES = _Meaning(
    QueryRefused,
    "The SQL database refused the query, because it writes, and the transaction only reads.",
    "Write a SELECT that calls no function with side effects.",
)
_TIMEOUT = _Meaning(
    StoreTimeout,
    "The SQL database did not answer in time.",
    "Make an index on the time column, forward shorter windows, or set a longer `timeout` of the source.",
)
_AWAY = _Meaning(
    StoreUnavailable,
    "The SQL database cannot be reached, or ended the connection.",
    "Check that it is up, and the host and port of its address.",
)
_REFUSED = _Meaning(
    QueryRefused,
    "The SQL database does not take the query.",
    "The gateway's log has its reason; correct the table, the columns or the query of the source.",
)
_FAILED = _Meaning(StoreFailed, "The SQL database failed.", "The gateway's log has its reason.")
_BY_SQLSTATE: Mapping[str, _Meaning] = {
    "08": _AWAY,
    "25006": _WRITES,
    "28": _DENIED,
    "3D": _DENIED,
    "42501": _DENIED,
    "42": _REFUSED,
    "22": _REFUSED,
    "21": _REFUSED,
    "0A": _REFUSED,
    "57014": _TIMEOUT,
    "55P03": _TIMEOUT,
    "57P": _AWAY,
    "53300": _AWAY,
}
"""The longest prefix that fits counts. Classes stand in appendix A of PostgreSQL's manual."""
_BY_NUMBER: Mapping[int, _Meaning] = {
    1044: _DENIED,
    1045: _DENIED,
    1049: _DENIED,
    1142: _DENIED,
    1143: _DENIED,
    1054: _REFUSED,
    1064: _REFUSED,
    1146: _REFUSED,
    1205: _TIMEOUT,
    1792: _WRITES,
    1836: _WRITES,
    1969: _TIMEOUT,
    3024: _TIMEOUT,
    1040: _AWAY,
    2002: _AWAY,
    2003: _AWAY,
    2006: _AWAY,
    2013: _AWAY,
}
"""Errors of MySQL and MariaDB (1969 and 2xxx are also of the client)."""
_BY_TEXT: Mapping[str, _Meaning] = {
    "readonly database": _WRITES,
    "not authorized": _WRITES,
    "interrupted": _TIMEOUT,
    "database is locked": _TIMEOUT,
    "unable to open database": _AWAY,
    "authentication failed": _DENIED,
    "no pg_hba.conf entry": _DENIED,
    "does not exist": _DENIED,
    "login failed": _DENIED,
    "no such": _REFUSED,
    "syntax error": _REFUSED,
}


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Errors of the driver and of SQLAlchemy become a StoreError; those of Fluxgate pass."""
    try:
        yield
    except FluxgateError:
        raise
    except sa.exc.SQLAlchemyError as broken:
        original = getattr(broken, "orig", None)
        raise store_error(original or broken) from broken
    except Exception as broken:
        if not is_driver_error(broken):
            raise
        raise store_error(broken) from broken


def is_driver_error(broken: BaseException) -> bool:
    """Whether an exception is one of a database driver: its tree has the names of PEP 249."""
    return any(base.__name__ in ("Error", "InterfaceError", "DatabaseError") for base in type(broken).__mro__)


def store_error(broken: BaseException) -> StoreError:
    """What an exception of a driver means."""
    kind = _kind(broken) or (_AWAY if _lost(broken) else _FAILED)
    return kind.error(str(broken))


def _kind(broken: BaseException) -> _Meaning | None:
    state = getattr(broken, "sqlstate", None)
    if isinstance(state, str):
        prefixes = (state[:length] for length in range(len(state), 1, -1))
        return next((_BY_SQLSTATE[prefix] for prefix in prefixes if prefix in _BY_SQLSTATE), None)
    number = broken.args[0] if broken.args else None
    if isinstance(number, int):
        return _BY_NUMBER.get(number)
    text = str(broken).lower()
    return next((kind for words, kind in _BY_TEXT.items() if words in text), None)


def _lost(broken: BaseException) -> bool:
    """Without a code of the server, a driver's operational error tells that there was no answer at all."""
    names = {base.__name__ for base in type(broken).__mro__}
    return bool(names & {"OperationalError", "InterfaceError"}) and getattr(broken, "sqlstate", None) is None
