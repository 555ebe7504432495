"""Windows by Flux, by points where Flux cannot, and in how many queries: on a real InfluxDB."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pytest

from service.domain.durations import parse_duration
from service.domain.schema import Bucket
from service.domain.selection import Fn, Selection, Windows, plan_read
from service.domain.timerange import EARLIEST_NS, EVER, LATEST_NS, TimeRange, parse_time
from service.domain.windows import Grid
from service.frames import long_form
from service.stores.influx.aggregates import WindowReader, whole_windows
from service.stores.influx.transport import Call, Reply, Transport
from service.stores.row_order import run_of
from tests.support.servers import InfluxServer
from tests.support.stores import influx_store

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
START_NS = 1_699_999_980 * SECOND_NS
"""On the minute, and on the edge of no other window that the tests use."""
WEEK_NS = 7 * 86_400 * SECOND_NS
MANY = [f"f{number:03}" for number in range(201)]
Row = tuple[int, object, str, str | None]


class RecordingTransport(Transport):
    """Remembers the Flux queries, and how often points were asked for."""

    def __init__(self, influx: InfluxServer) -> None:
        super().__init__(influx.url, influx.token, influx.org)
        self.flux: list[str] = []
        self.raw_reads = 0

    def open(self, method: str, path: str, *more: object) -> Reply:  # type: ignore[override]
        if path == "/api/v2/query":
            self.flux.append(json.loads(more[1])["query"])  # type: ignore[arg-type]
        else:
            self.raw_reads += 1
        return super().open(method, path, *more)  # type: ignore[arg-type]


@dataclass
class Site:
    influx: InfluxServer
    bucket: str
    transport: RecordingTransport = field(init=False)

    def read(self, selection: Selection, extent: TimeRange | None = None) -> list[list[Row]]:
        """The rows of each block."""
        store = influx_store(self.influx)
        plan = plan_read(selection, store.schema(self.bucket))
        self.transport = RecordingTransport(self.influx)
        described = Bucket(self.bucket, "", 0, WEEK_NS)
        reader = WindowReader(self.transport, described, self.bucket, selection, plan.skipped, Call(), extent)
        blocks = [block for measurement in plan.measurements for block in reader.blocks(measurement)]
        return [[row for frame in block for row in rows_of(frame)] for block in blocks]

    def rows(self, fn: Fn, measurement: str = "m", *fields: str, tags: tuple[str, ...] = ()) -> list[Row]:
        """The rows of ten minutes in windows of one minute, their times in minutes from the start."""
        span = TimeRange(START_NS, START_NS + 10 * MINUTE_NS)
        filters = (("t", tags),) if tags else ()
        windows = Windows(MINUTE_NS, fn)
        blocks = self.read(Selection(self.bucket, span, windows, (measurement,), fields, filters))
        return [((time - START_NS) // MINUTE_NS, *others) for block in blocks for time, *others in block]  # type: ignore[misc]

    def ranges(self) -> list[tuple[int, int]]:
        """The ranges of the Flux queries, in minutes from the start."""
        minutes = []
        for query in self.transport.flux:
            times = re.findall(r"(?:start|stop): (\d{4}-\S+?Z)", query)
            start_ns, stop_ns = (parse_time(time, "time") for time in times)
            minutes.append(((start_ns - START_NS) // MINUTE_NS, (stop_ns - START_NS) // MINUTE_NS))
        return minutes


def rows_of(frame: pa.RecordBatch) -> list[Row]:
    tags = long_form.tags(frame)
    tag = tags[0].to_pylist() if tags else [None] * frame.num_rows
    times = long_form.times_ns(frame).tolist()
    return list(zip(times, long_form.values(frame).to_pylist(), long_form.fields(frame).to_pylist(), tag, strict=True))


def line(keys: str, fields: str, minute: float) -> str:
    return f"{keys} {fields} {START_NS + int(minute * MINUTE_NS)}"


@pytest.fixture(scope="module")
def site(influx: InfluxServer) -> Iterator[Site]:
    site = Site(influx, influx.new_bucket(shard_s=WEEK_NS // SECOND_NS))
    influx.write(site.bucket, "\n".join([
        line("m,t=a", "n=1,i=10i,s=\"x\"", 0.1), line("m,t=a", "n=2,i=20i,s=\"y\"", 0.9),
        line("m,t=b", "n=5,i=50i", 0.5), line("m,t=a", "n=8", 3.5),
        line("odd,@=a,t=1", "n=4", 0.5), line("odd,@=b,t=2", "n=6", 0.5),
        line("typed", "x=1", 0.5), line("typed", "x=3", 0.6), line("typed", "x=7i", 3 * 7 * 24 * 60),
        line("mixed", "x=2", 0.5), line("mixed", "x=\"text\"", 3 * 7 * 24 * 60),
        *(line("wide", ",".join(f"{name}={minute}" for name in MANY), minute) for minute in range(64)),
        *(line("thin", "n=1", minute) for minute in range(0, 2000, 7)),
        f"ends n=1 {EARLIEST_NS}", f"ends n=2 {LATEST_NS}", "ends n=3 0",
    ]))  # fmt: skip
    yield site


def test_rows_are_those_of_flux(site: Site) -> None:
    assert site.rows(Fn.MEAN) == [
        (1, 15.0, "i", "a"), (1, 50.0, "i", "b"), (1, 1.5, "n", "a"), (4, 8.0, "n", "a"), (1, 5.0, "n", "b"),
    ]  # fmt: skip
    assert (len(site.transport.flux), site.transport.raw_reads) == (1, 0)
    assert site.rows(Fn.COUNT, "m", "s") == [(1, 2, "s", "a")]
    assert (len(site.transport.flux), site.transport.raw_reads) == (1, 0), "Flux counts texts"


def test_filters_stand_in_the_query(site: Site) -> None:
    assert site.rows(Fn.SUM, "m", "n", tags=("b", "c")) == [(1, 5.0, "n", "b")]
    assert site.transport.raw_reads == 0


def test_fields_of_two_functions_are_two_queries_and_text_is_read_as_points(site: Site) -> None:
    assert site.rows(Fn.MAX, "m", "n", "s") == [
        (1, 2.0, "n", "a"), (4, 8.0, "n", "a"), (1, 5.0, "n", "b"), (1, "y", "s", "a"),
    ]  # fmt: skip
    assert (len(site.transport.flux), site.transport.raw_reads) == (1, 1)


def test_a_tag_that_flux_cannot_filter_is_filtered_in_points(site: Site) -> None:
    span = TimeRange(START_NS, START_NS + 10 * MINUTE_NS)
    selection = Selection(site.bucket, span, Windows(MINUTE_NS, Fn.SUM), ("odd",), (), (("@", ("a",)),))
    assert site.read(selection) == [[(START_NS + MINUTE_NS, 4.0, "n", "a")]]
    assert (len(site.transport.flux), site.transport.raw_reads) == (0, 1)


@pytest.mark.parametrize(
    ("measurement", "fn", "expected"),
    [
        ("typed", Fn.MEAN, [2.0, 7.0]),
        ("typed", Fn.LAST, [3.0, 7]),
        ("typed", Fn.COUNT, [2, 1]),
        ("mixed", Fn.MEAN, [2.0]),
        ("mixed", Fn.FIRST, [2.0, "text"]),
    ],
)
def test_a_field_of_several_types_is_read_as_points_of_all_of_them(
    site: Site, measurement: str, fn: Fn, expected: list[object]
) -> None:
    span = TimeRange(START_NS, START_NS + 5 * WEEK_NS)
    blocks = site.read(Selection(site.bucket, span, Windows(WEEK_NS, fn), (measurement,)))
    assert sorted((row[1] for block in blocks for row in block), key=str) == sorted(expected, key=str)
    assert len(site.transport.flux) == 0


def test_a_query_names_at_most_100_fields_and_together_all_of_them(site: Site) -> None:
    rows = site.rows(Fn.MEAN, "wide")
    assert len(rows) == 201 * 10
    assert [query.count('r["_field"] == ') for query in site.transport.flux] == [100, 100, 1]


def test_complete_rows_are_read_in_runs_that_grow_while_rows_are_few(site: Site) -> None:
    span = TimeRange(START_NS, START_NS + 2000 * MINUTE_NS)
    selection = Selection(site.bucket, span, Windows(MINUTE_NS, Fn.SUM), ("thin",), complete_rows=True)
    blocks = site.read(selection)
    assert [row[0] for block in blocks for row in block] == [
        START_NS + (minute + 1) * MINUTE_NS for minute in range(0, 2000, 7)
    ]
    assert site.ranges() == [(0, 64), (64, 1088), (1088, 2000)]
    assert [len(block) for block in blocks] == [10, 146, 130]


def test_a_run_of_complete_rows_is_as_long_as_200_000_rows_take(site: Site) -> None:
    """64 windows have 64 * 201 rows, so 995 windows have about 200,000."""
    span = TimeRange(START_NS, START_NS + 1500 * MINUTE_NS)
    selection = Selection(site.bucket, span, Windows(MINUTE_NS, Fn.SUM), ("wide",), complete_rows=True)
    blocks = site.read(selection)
    assert [len(block) for block in blocks] == [64 * 201]
    assert site.ranges()[::3] == [(0, 64), (64, 1059), (1059, 1500)]


def test_windows_that_reach_beyond_the_ends_of_time_are_read_as_points(site: Site) -> None:
    """InfluxDB would never end such a query (2.9.1)."""
    windows = Windows(parse_duration("52w", "every"), Fn.LAST)
    blocks = site.read(Selection(site.bucket, EVER, windows, ("ends",)))
    assert [row[1] for block in blocks for row in block] == [1.0, 3.0, 2.0]
    assert len(site.transport.flux) == 1
    assert site.transport.raw_reads > 0


def test_windows_outside_of_all_points_are_not_asked_for(site: Site) -> None:
    span = TimeRange(START_NS - 200 * WEEK_NS, START_NS + 200 * WEEK_NS)
    selection = Selection(site.bucket, span, Windows(0, Fn.COUNT, months=1), ("m",), ("n",))
    rows = [row for block in site.read(selection, TimeRange(START_NS, START_NS + 1)) for row in block]
    assert [row[1:] for row in rows] == [(3, "n", "a"), (1, "n", "b")]
    assert len(site.transport.flux) == 1


def test_whole_windows_lie_within_the_times_that_influxdb_stores() -> None:
    grid = Grid(EVER, 1000, 300)
    whole = whole_windows(grid)
    assert whole is not None
    assert (whole.every_ns, whole.offset_ns) == (1000, 300)
    assert whole.span.start_ns - grid.offset_ns >= EARLIEST_NS > whole.span.start_ns - grid.offset_ns - 1000
    assert whole.span.stop_ns <= LATEST_NS < whole.span.stop_ns + 1000
    assert whole.span.start_ns % 1000 == whole.span.stop_ns % 1000 == 300


def test_a_grid_in_the_midst_of_time_is_whole_and_one_at_its_end_is_not() -> None:
    middle = Grid(TimeRange(7, 5_000), 1000, 300)
    assert whole_windows(middle) == middle
    assert whole_windows(Grid(TimeRange(LATEST_NS - 5, LATEST_NS + 1), 10**12, 0)) is None
    assert whole_windows(Grid(TimeRange(0, 5), 2**63, 0)) is None


@pytest.mark.parametrize(
    ("start_ns", "windows", "run"),
    [(7, 1, (7, 300)), (7, 2, (7, 1300)), (1300, 2, (1300, 3300)), (3300, 2, (3300, 5000)), (4300, 9, (4300, 5000))],
)
def test_a_run_ends_on_an_edge_or_with_the_range(start_ns: int, windows: int, run: tuple[int, int]) -> None:
    assert run_of(Grid(TimeRange(7, 5_000), 1000, 300), start_ns, windows) == Grid(TimeRange(*run), 1000, 300)
