"""Connectors for tests: a source and an upstream in memory, and a rig that runs jobs of the kind `forward`."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from service.domain.addresses import AddressPolicy
from service.domain.job import Json
from service.domain.schema import FieldType
from service.domain.timerange import TimeRange, format_time
from service.frames import long_form
from service.frames.frame import constant_codes, long_schema
from service.jobs.forward.bookmarks import Bookmarks
from service.jobs.forward.dead_letter_table import DeadLetterTable
from service.jobs.forward.definitions import ConnectorRules, ConnectorText
from service.jobs.forward.registry import ConnectorRegistry, connectors_section
from service.jobs.forward.runnable import ForwardLimits, ForwardRunnable
from service.sources.config import SourceText
from service.sources.rules import SourceRules
from service.state.database import StateDatabase
from service.state.jobs import JobStore
from service.transfer.dead_letters import DeadLetter
from service.transfer.run_control import RunControl
from service.transfer.run_log import Log
from service.upstream.config import Upstream
from service.upstream.protocol import Batch, Delivered
from service.upstream.rules import UpstreamRules
from tests.support.clock import Clock
from tests.support.mirrors import KeptContext

MINUTE_S, MINUTE_NS = 60, 60 * 10**9
NOON_S = 1_767_268_800
"""2026-01-01T12:00:00Z."""
NOON_NS = NOON_S * 10**9
RULES = ConnectorRules(SourceRules(), UpstreamRules(AddressPolicy.PRIVATE_TOO))
TEXT: dict[str, Any] = {
    "source": {"store": {"bucket": "b"}},
    "upstream": {"url": "http://upstream.test/post", "max_points": 100, "in_flight": 1},
    "every": "00:05:00",
    "window": "5m",
    "settle": "30s",
}
UPSERT = {"upstream": {**TEXT["upstream"], "idempotency": {"by": "upsert"}}}
Value = tuple[str, int, float]
"""Sensor, time in ns, value."""


def frame_of(sensor: str, points: list[tuple[int, float]]) -> pa.RecordBatch:
    """Values of one sensor as a long frame."""
    times = pa.array([time_ns for time_ns, _ in points], pa.int64()).view(pa.timestamp("ns", "UTC"))
    values = pa.array([value for _, value in points], pa.float64())
    rows = len(points)
    columns = [times, values, constant_codes("v", rows), constant_codes("m", rows), constant_codes(sensor, rows)]
    return pa.RecordBatch.from_arrays(columns, schema=long_schema(FieldType.FLOAT, ("sensor",)))


def values_of(frame: pa.RecordBatch) -> Iterator[Value]:
    """The values of a long frame."""
    sensors = long_form.tags(frame)[0].to_pylist()
    yield from zip(sensors, long_form.times_ns(frame).tolist(), long_form.values(frame).to_pylist(), strict=True)


class MemorySource:
    """Points by sensor. `asked` keeps the windows that were read, and `checks` counts the checks.

    `lacks`: what a check finds.
    """

    def __init__(self) -> None:
        self.points: dict[str, dict[int, float]] = {}
        self.asked: list[TimeRange] = []
        self.fails: Exception | None = None
        self.lacks: Exception | None = None
        self.checks = 0

    def put(self, sensor: str, time_ns: int, value: float = 1.0) -> None:
        self.points.setdefault(sensor, {})[time_ns] = value

    def fill(self, start_ns: int, stop_ns: int, step_ns: int = MINUTE_NS, sensor: str = "s") -> None:
        for number, time_ns in enumerate(range(start_ns, stop_ns, step_ns)):
            self.put(sensor, time_ns, float(number))

    def all(self) -> set[Value]:
        return {(sensor, time_ns, value) for sensor, of in self.points.items() for time_ns, value in of.items()}

    def check(self) -> None:
        self.checks += 1
        if self.lacks is not None:
            raise self.lacks

    def frames(self, window: TimeRange) -> Iterator[pa.RecordBatch]:
        self.asked.append(window)
        if self.fails is not None:
            raise self.fails
        for sensor, of in sorted(self.points.items()):
            points = sorted((time, value) for time, value in of.items() if window.start_ns <= time < window.stop_ns)
            if points:
                yield frame_of(sensor, points)

    def oldest_ns(self) -> int | None:
        return min((time_ns for of in self.points.values() for time_ns in of), default=None)

    def close(self) -> None:
        pass


class MemorySink:
    """An upstream that keeps what it accepted. `before` is called with each batch and may raise.

    `refused`: sensors whose values it refuses.
    """

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.accepted: Counter[Value] = Counter()
        self.refused: set[str] = set()
        self.first_tries: list[float | None] = []
        self.before: Callable[[Batch], None] = lambda batch: None

    @property
    def windows(self) -> list[str]:
        """The starts of the windows that were delivered, in order, as hours and minutes."""
        return [format_time(batch.window.start_ns)[11:16] for batch in self.batches]

    def deliver(self, batch: Batch, first_tried_s: float | None = None) -> Delivered:
        self.first_tries.append(first_tried_s)
        self.before(batch)
        values = [value for frame in batch.frames for value in values_of(frame)]
        self.batches.append(batch)
        taken = [value for value in values if value[0] not in self.refused]
        self.accepted.update(taken)
        letters = [dead_letter(value) for value in values if value[0] in self.refused]
        return Delivered(len(taken), posts=1, dead_letters=letters)


def dead_letter(value: Value) -> DeadLetter:
    sensor, time_ns, number = value
    return {
        "measurement": "m",
        "tags": {"sensor": sensor},
        "field": "v",
        "type": FieldType.FLOAT.value,
        "value": str(number),
        "time": format_time(time_ns),
        "time_ns": time_ns,
        "code": "refused",
        "reason": "It is not wanted.",
    }


class ForwardContext(KeptContext):
    """A job context whose checkpoint is there in the next run of the job."""

    def save(self, checkpoint: Mapping[str, Any]) -> None:
        super().save(checkpoint)
        self.checkpoint = dict(checkpoint)


class ForwardRig:
    """Connectors over a source and an upstream in memory. The clock stands at noon and half a minute."""

    def __init__(
        self, folder: Path, state: StateDatabase | None = None, clock: Callable[[], float] | None = None
    ) -> None:
        self.state = state or StateDatabase.in_directory(folder)
        self.state.migrate()
        self.stopped_clock: Clock[float] = Clock(NOON_S + 30.0)
        self.clock = clock or self.stopped_clock
        self.source, self.sink = MemorySource(), MemorySink()
        self.section: dict[str, Any] = {}
        self.letters = DeadLetterTable(self.state, self.clock, 1000)
        self.bookmarks = Bookmarks(self.state, self.letters, self.clock)
        self.job_store = JobStore(self.state, self.clock)
        self.runnable = self.runnable_with()
        self.opened = 0

    def runnable_with(self, default: ConnectorText | None = None, **limits: Any) -> ForwardRunnable:
        registry = ConnectorRegistry(lambda: self.section, default, RULES)
        made = ForwardLimits(**{"run_s": 1e9, **limits})
        return ForwardRunnable(registry, self.bookmarks, _Ends(self), self.job_store, made, self.clock)

    def configure(self, name: str = "c", **members: Any) -> None:
        self.section[name] = (
            connectors_section(RULES)
            .model.model_validate({name: {**TEXT, **members}})
            .model_dump(mode="json", by_alias=True)[name]
        )

    def run(self, context: ForwardContext | None = None, **parameters: Any) -> Json:
        """One run of a job, in the live lane of `c` without parameters."""
        job = {"connector": "c", **parameters}
        self.runnable.validate(job)
        return self.runnable.run(job, context or ForwardContext())

    def run_all(self) -> Json:
        """The live lane, and then back-fill where that was ordered."""
        result = self.run()
        for queued in self.job_store.list(["forward"]):
            if not queued.state.ended:
                result = self.run(**queued.parameters)
                self.job_store.cancel(queued.id, "test")
        return result

    def bookmark(self, name: str = "c") -> str | None:
        """The bookmark as hours and minutes of the day."""
        position = self.bookmarks.get(name).position
        return None if position is None else format_time(position.bookmark_ns)[11:16]

    @contextmanager
    def open_sink(self, upstream: Upstream, control: RunControl, log: Log) -> Iterator[MemorySink]:
        """The upstream of every connector. Rigs with several upstreams say here which is whose."""
        yield self.sink

    def at(self, minutes: float) -> None:
        """Set the clock to so many minutes after noon."""
        self.stopped_clock.now = NOON_S + minutes * MINUTE_S


class _Ends:
    """The source and the upstream of a rig, for any connector."""

    def __init__(self, rig: ForwardRig) -> None:
        self._rig = rig

    @contextmanager
    def source(self, text: SourceText, control: RunControl, log: Log) -> Iterator[MemorySource]:
        self._rig.opened += 1
        yield self._rig.source

    @contextmanager
    def sink(self, upstream: Upstream, control: RunControl, log: Log) -> Iterator[MemorySink]:
        with self._rig.open_sink(upstream, control, log) as sink:
            yield sink
