"""Opens a file of points in whatever form it has: line protocol, annotated CSV, CSV with named columns, or Parquet."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from service.domain.schema import FieldType
from service.fileformats.annotated_csv import AnnotatedCsv, is_annotated
from service.fileformats.column_roles import ColumnRoles, TableForm
from service.fileformats.joined_pieces import joined_pieces
from service.fileformats.lines import line_pieces
from service.fileformats.parquet_files import MAGIC, ParquetRows
from service.fileformats.pieces import Piece, Position
from service.fileformats.plain_csv import PlainCsv
from service.fileformats.unpacking import STANDARD_INPUT, ByteSource, as_seekable, opened

_PACKED_ENDINGS = (".gz", ".gzip", ".zst", ".zstd")
_HEAD_BYTES = 4_096
KnownTypes = Callable[[str], Mapping[str, FieldType]]
"""The types that the fields of a measurement have in the bucket already."""


class FileKind(StrEnum):
    """The forms of a file, as `--format` names them."""

    LINES = "lp"
    ANNOTATED = "annotated"
    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True)
class FileForm:
    """How a file is read. No `kind`: by its content, else by its name."""

    kind: FileKind | None = None
    table: TableForm = field(default_factory=TableForm)


@dataclass
class OpenFile:
    """A file under way. `total` and `done` are in bytes of the file, or in rows of Parquet; `total` 0 is unknown.

    `precision` is the unit of the times in the pieces.
    """

    kind: FileKind
    pieces: Iterator[Piece]
    total: int
    done: Callable[[], int]
    precision: str = "ns"


@contextmanager
def open_points(
    name: str, form: FileForm, position: Position, begun_ns: int, known_types: KnownTypes = lambda _: {}
) -> Iterator[OpenFile]:
    """The points of a file from `position` on. `begun_ns`: the time of lines that have none.

    Raises FileRefused and InvalidParameter, also while the pieces are read; OSError.
    """
    with opened(name) as source:
        kind = form.kind or _kind_of(name, source, form)
        total = 0 if name == STANDARD_INPUT else Path(name).stat().st_size

        def done() -> int:
            return source.taken_bytes

        if kind is FileKind.PARQUET:
            with as_seekable(source) as file:
                rows = ParquetRows(source.name, file, form.table, position)
                place = [position.place]
                yield OpenFile(kind, joined_pieces(_counted(rows.pieces(), place)), rows.rows, lambda: place[0])
        elif kind is FileKind.CSV:
            types = None if name == STANDARD_INPUT else _types(name, form.table, known_types)
            pieces = PlainCsv(source, form.table, position).pieces(types)
            yield OpenFile(kind, joined_pieces(pieces), total, done)
        elif kind is FileKind.ANNOTATED:
            pieces = AnnotatedCsv(source, form.table.measurement, position).pieces()
            yield OpenFile(kind, joined_pieces(pieces), total, done)
        else:
            precision = form.table.time_form.unit or "ns"
            yield OpenFile(kind, line_pieces(source, position, precision, begun_ns), total, done, precision)


def _counted(pieces: Iterator[Piece], place: list[int]) -> Iterator[Piece]:
    for piece in pieces:
        place[0] = piece.after.place
        yield piece


def _types(name: str, form: TableForm, known_types: KnownTypes) -> dict[int, FieldType]:
    """The type of each field over all rows of a CSV file."""
    with opened(name) as source:
        table = PlainCsv(source, form, Position())
        types = table.types()
    return _adopted(types, table.roles, set(form.types), known_types)


def _adopted(
    types: dict[int, FieldType], roles: ColumnRoles, given: set[str], known_types: KnownTypes
) -> dict[int, FieldType]:
    """`types`, where a field that the bucket knows keeps the type that it has there, if all its cells fit that too."""
    if not isinstance(roles.measurement, str):
        return types
    known = known_types(roles.measurement)
    adopted = dict(types)
    for place, target in roles.fields.items():
        wanted = known.get(target)
        if roles.names[place] in given or wanted is None:
            continue
        whole_number = types[place] is FieldType.INTEGER and wanted is FieldType.FLOAT
        if whole_number or wanted is FieldType.STRING:
            adopted[place] = wanted
    return adopted


def _kind_of(name: str, source: ByteSource, form: FileForm) -> FileKind:
    head = source.peek(_HEAD_BYTES)
    if head.startswith(MAGIC):
        return FileKind.PARQUET
    if is_annotated(head):
        return FileKind.ANNOTATED
    path = Path(name)
    ending = Path(path.stem).suffix if path.suffix.lower() in _PACKED_ENDINGS else path.suffix
    is_csv = ending.lower() in (".csv", ".tsv") or form.table.time is not None
    return FileKind.CSV if is_csv else FileKind.LINES
