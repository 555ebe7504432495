"""The options of an import that say how a table is written, checked before it is opened. All raise InvalidParameter."""

from enum import StrEnum

from service.commands.write import Precision
from service.domain.local_time import is_zone
from service.domain.schema import FieldType
from service.errors import InvalidParameter
from service.fileformats.time_cells import TimeForm

_SEPARATORS = {",": ",", ";": ";", "tab": "\t", "\t": "\t", "|": "|"}


class RepeatedHour(StrEnum):
    """Which of the two hours that autumn repeats is meant."""

    FIRST = "first"
    SECOND = "second"


def time_form(
    precision: Precision | None, tz: str | None, pattern: str | None, repeated_hour: RepeatedHour | None
) -> TimeForm:
    """How times are written."""
    second = None if repeated_hour is None else repeated_hour is RepeatedHour.SECOND
    return TimeForm(precision.value if precision else None, _zone(tz), pattern, second)


def pairs(texts: list[str], option: str) -> dict[str, str]:
    """Columns with the names that they get, out of COLUMN or COLUMN=NAME."""
    named: dict[str, str] = {}
    for text in texts:
        column, separator, name = text.partition("=")
        if not column or (separator and not name):
            raise InvalidParameter(option, f"--{option} {text!r} is neither COLUMN nor COLUMN=NAME.")
        if column in named:
            raise InvalidParameter(option, f"--{option} names the column {column!r} twice.")
        named[column] = name or column
    return named


def types(texts: list[str]) -> dict[str, FieldType]:
    """The types of columns, out of COLUMN=TYPE."""
    given: dict[str, FieldType] = {}
    for text in texts:
        column, _, name = text.rpartition("=")
        if not column or name not in [kind.value for kind in FieldType]:
            allowed = ", ".join(kind.value for kind in FieldType)
            raise InvalidParameter("type", f"--type {text!r} is not COLUMN=TYPE with one of {allowed}.")
        given[column] = FieldType(name)
    return given


def separator(text: str) -> str:
    if text not in _SEPARATORS:
        raise InvalidParameter("sep", f"--sep {text!r} separates no cells. Allowed: , ; | and tab.")
    return _SEPARATORS[text]


def decimal(text: str) -> str:
    if text not in (".", ","):
        raise InvalidParameter("decimal", f"--decimal {text!r} is neither . nor ,")
    return text


def encoding(text: str) -> str:
    try:
        "1;2\n".encode(text)
    except LookupError:
        raise InvalidParameter("encoding", f"--encoding {text!r} is unknown. Write one like utf-8 or cp1252.") from None
    if "1;2\n".encode(text) != b"1;2\n":
        raise InvalidParameter("encoding", f"--encoding {text!r} has more than a byte for a letter. Convert it first.")
    return text.lower()


def _zone(text: str | None) -> str | None:
    if text is not None and not is_zone(text):
        reason = f"--tz {text[:100]!r} is no IANA time zone. Write one like Europe/Berlin."
        raise InvalidParameter("tz", reason)
    return text
