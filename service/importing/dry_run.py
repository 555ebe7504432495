"""What an import would write, without writing: points, measurements, fields with types, tag keys, and the range."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from service.fileformats.pieces import Piece, Reject
from service.importing.rejects import MOST_SHOWN
from service.lineprotocol.parser import parse_lines

_MOST_NAMES = 10_000


@dataclass
class MeasurementSummary:
    """Fields with their types, tag keys, and the values of a measurement."""

    values: int = 0
    fields: dict[str, set[str]] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)


@dataclass
class Summary:
    """Counts of a whole file. `more_names`: there are more measurements or fields than are named."""

    points: int = 0
    rejected: int = 0
    empty_rows: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    measurements: dict[str, MeasurementSummary] = field(default_factory=dict)
    more_names: bool = False
    shown: list[Reject] = field(default_factory=list)
    _names: int = 0

    def add(self, piece: Piece, precision: str, begun_ns: int) -> None:
        """Count the lines of a piece. Lines that do not parse are rejects."""
        self._reject(piece.rejects)
        self.empty_rows += piece.empty_rows
        if piece.text:
            self._add_lines(piece, precision, begun_ns)

    def _add_lines(self, piece: Piece, precision: str, begun_ns: int) -> None:
        parsed = parse_lines(piece.text, precision, begun_ns)
        if parsed.ended_early and len(piece) > 1:
            for part in piece.parts(-(-len(piece) // 2)):
                self._add_lines(part, precision, begun_ns)
            return
        points = parsed.points
        self.points += len(points)
        bad = [(piece.index_of(line.line), line.reason) for line in parsed.bad]
        self._reject([Reject(piece.line_of(index), reason, piece.text_of(index)) for index, reason in bad])
        self.rejected += parsed.bad_count - len(parsed.bad)
        if len(points):
            first, last = int(points.times_ns.min()), int(points.times_ns.max())
            self.first_ns = first if self.first_ns is None else min(self.first_ns, first)
            self.last_ns = last if self.last_ns is None else max(self.last_ns, last)
        for key in points.keys:
            self._name(key.measurement, key.field, key.type.value, [tag for tag, _ in key.tags])
        for column in points.columns:
            for number in column.keys.tolist():
                summary = self.measurements.get(points.keys[number].measurement)
                if summary is not None:
                    summary.values += 1

    def _name(self, measurement: str, field_name: str, kind: str, tags: Iterable[str]) -> None:
        if self._names >= _MOST_NAMES and field_name not in self.measurements.get(measurement, _NONE).fields:
            self.more_names = True
            return
        summary = self.measurements.setdefault(measurement, MeasurementSummary())
        types = summary.fields.setdefault(field_name, set())
        self._names += kind not in types
        types.add(kind)
        summary.tags.update(tags)

    def _reject(self, rejects: Iterable[Reject]) -> None:
        for reject in rejects:
            self.rejected += 1
            if len(self.shown) < MOST_SHOWN:
                self.shown.append(reject)


_NONE = MeasurementSummary()
