"""Judges a query that an operator wrote: one statement that only reads, with the two binds of its window.

It is no parser of SQL. It blanks what is quoted or commented, and looks at the words that are left. What the database
runs besides is bounded by a read-only transaction, where the database has such a thing (`sql_engine`).
"""

import re
from collections.abc import Iterator

import sqlalchemy as sa

from service.errors import InvalidParameter

START, STOP = "start_time", "end_time"
"""The names of the binds: the first instant of a window, and the first one after it."""
_QUOTED = re.compile(
    r"""
    '(?:[^']|'')*'            # a text
    | "(?:[^"]|"")*"          # a name; in MySQL a text
    | `(?:[^`]|``)*`          # a name in MySQL
    | --[^\n]*                # a comment
    | /\*.*?\*/
    | \$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$   # a text in PostgreSQL
    """,
    re.DOTALL | re.VERBOSE,
)
_COLON = re.compile(r"(?<!\\):")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*", re.ASCII)
_WRITING = re.compile(
    "alter|call|copy|create|delete|drop|exec|execute|grant|insert|into|lock|merge|revoke|truncate|update",
)


def check_query(query: str, parameter: str) -> None:
    """Raises InvalidParameter: the query is no single SELECT or WITH, it writes, or lacks a bind or has another."""
    bare = _QUOTED.sub(" ", query)
    statement = bare.strip().removesuffix(";")
    words = [word.lower() for word in _WORD.findall(statement)]
    if not words or words[0] not in ("select", "with"):
        raise InvalidParameter(parameter, "The query is no SELECT. It has to begin with SELECT or WITH.")
    if ";" in statement:
        raise InvalidParameter(parameter, "The query holds more than one statement. Write one SELECT, without `;`.")
    if quote := next((letter for letter in ("'", '"', "`", "/*") if letter in statement), None):
        raise InvalidParameter(parameter, f"The query has a {quote} that is never closed.")
    if writing := next((word for word in _words_outside_names(statement) if _WRITING.fullmatch(word)), None):
        reason = f"The query holds {writing.upper()}, and a source only reads. Quote it where it names a column."
        raise InvalidParameter(parameter, reason)
    _check_binds(bare, parameter)


def bindable(query: str) -> str:
    """The query without a `;` at its end, and with colons in quoted texts and comments marked as no binds."""
    marked = _QUOTED.sub(lambda match: _COLON.sub(r"\\:", match[0]), query)
    return marked.strip().removesuffix(";").rstrip()


def _words_outside_names(statement: str) -> Iterator[str]:
    """The words that are no binds and no part of a dotted name."""
    for match in _WORD.finditer(statement):
        before = statement[: match.start()].rstrip()[-1:]
        if before not in (":", "."):
            yield match[0].lower()


def _check_binds(bare: str, parameter: str) -> None:
    binds = set(sa.text(bare)._bindparams)
    missing = [f":{name}" for name in (START, STOP) if name not in binds]
    if missing:
        example = f"ts >= :{START} AND ts < :{STOP}"
        reason = f"The query lacks {' and '.join(missing)}, which bound each window. Write WHERE {example}."
        raise InvalidParameter(parameter, reason)
    others = sorted(binds - {START, STOP})
    if others:
        reason = f"Nothing is known to put in for :{others[0]}. A query has the binds :{START} and :{STOP} alone."
        raise InvalidParameter(parameter, f"{reason} A colon that begins no bind is written \\:.")
