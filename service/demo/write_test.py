"""The write test of an installation: simulated sensors go through a gateway into a bucket, and are read back.

Every point is compared with what was read: its time to the nanosecond, each field with its type and value.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from fluxgate_client import Gateway, Measurement, Writer
from service.demo.sensors import simulated_sensors

MOST_POINTS = 200_000
"""Points of one run: they stay in memory for the comparison."""
_BATCH = 5000
_READ_AGAIN_S = (0.0, 1.0, 2.0, 4.0)
_MOST_SAID = 5


@dataclass(frozen=True)
class ReadBack:
    """How many points were expected and found, how many of their values are equal, and the first differences."""

    points: int
    found: int
    values: int
    equal: int
    differences: Sequence[str] = ()

    @property
    def is_equal(self) -> bool:
        return self.found == self.points and self.equal == self.values


@dataclass
class WriteTest:
    """Writes `rate` points a second of `sensors` sensors into `bucket`, for `seconds`; then `read_back` compares.

    `clock_ns` gives the times of the points, `clock` monotonic seconds.
    """

    gateway: Gateway
    bucket: str
    rate: float
    sensors: int
    seconds: float
    clock_ns: Callable[[], int] = time.time_ns
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    written: list[Measurement] = field(default_factory=list)
    """The points that were made."""

    @property
    def total(self) -> int:
        return max(1, round(self.rate * self.seconds))

    def writer(self) -> Writer:
        """The writer that `write` uses; it belongs to the caller, who sees there what was written."""
        return Writer(self.gateway, self.bucket, batch=_BATCH, max_age_s=1.0)

    def write(self, writer: Writer, progress: Callable[[int], object] = lambda _: None) -> None:
        """Make and write all points, each at its moment. Raises GatewayError."""
        sensors = simulated_sensors(self.sensors)
        start_ns, start_s = self.clock_ns(), self.clock()
        for index in range(self.total):
            wait_s = start_s + index / self.rate - self.clock()
            if wait_s > 0:
                self.sleep(wait_s)
            point = sensors[index % len(sensors)].point(start_ns + round(index * 1e9 / self.rate))
            self.written.append(point)
            writer.write(point)
            progress(index + 1)
        writer.flush()

    def read_back(self, rejected: Sequence[Measurement] = ()) -> ReadBack:
        """Read what was written, and again for some seconds while something lacks. Raises GatewayError."""
        left_out = {id(point) for point in rejected}
        expected = [point for point in self.written if id(point) not in left_out]
        result = ReadBack(0, 0, 0, 0)
        for pause_s in _READ_AGAIN_S if expected else ():
            self.sleep(pause_s)
            result = self._compared(expected)
            if result.is_equal:
                break
        return result

    def _compared(self, expected: Sequence[Measurement]) -> ReadBack:
        by_measurement: dict[str, list[Measurement]] = {}
        for point in expected:
            by_measurement.setdefault(point.measurement, []).append(point)
        times = [point.time_ns for point in expected]
        start, stop = f"{min(times)}ns", f"{max(times) + 1}ns"
        found = values = equal = 0
        differences: list[str] = []
        for name, points in by_measurement.items():
            answer = self.gateway.read(self.bucket, measurement=name, every="raw", shape="wide", start=start, stop=stop)
            rows = _rows(answer.to_arrow())
            for point in points:
                row = rows.get((point.tags["sensor"], point.time_ns))
                values += len(point.fields)
                found += row is not None
                wrong = _differences(point, row)
                equal += len(point.fields) - len(wrong)
                differences += wrong[: max(0, _MOST_SAID - len(differences))]
        return ReadBack(len(expected), found, values, equal, tuple(differences))


def _rows(table: pa.Table) -> dict[tuple[str, int], dict[str, object]]:
    """The rows by sensor and time in nanoseconds."""
    if table.num_rows == 0:
        return {}
    times = pc.cast(table.column("_time"), pa.int64()).to_pylist()
    rows = table.drop_columns(["_time"]).to_pylist()
    return {(row["sensor"], time_ns): row for row, time_ns in zip(rows, times, strict=True)}


def _differences(point: Measurement, row: dict[str, object] | None) -> list[str]:
    """Each field that differs, as a sentence."""
    place = f"{point.tags['sensor']} at {point.time_ns} ns"
    if row is None:
        return [f"{place}: {name} is not there" for name in point.fields]
    return [
        f"{place}: {name} is {row.get(name)!r}, not {value!r}"
        for name, value in point.fields.items()
        if type(row.get(name)) is not type(value) or row.get(name) != value
    ]
