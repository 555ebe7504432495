"""Digests: equal for equal data in any order, different for any difference of a bit."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.schema import FieldType
from service.domain.series import FieldSeries, SeriesKey
from service.frames.frame import long_schema
from service.frames.series_digest import SeriesDigest, SeriesDigester

Row = tuple[int, float, str, str | None]


def frame(rows: list[Row], kind: FieldType = FieldType.FLOAT, measurement: str = "power") -> pa.RecordBatch:
    """Rows of (time, value, field, tag `site`)."""
    schema = long_schema(kind, ("site",))
    times, values, fields, sites = zip(*rows, strict=True)
    columns = [
        pa.array(times, pa.int64()).cast(schema.field(0).type),
        pa.array(values, schema.field(1).type),
        pa.array(fields, pa.string()).dictionary_encode(),
        pa.array([measurement] * len(rows)).dictionary_encode(),
        pa.array(sites, pa.string()).dictionary_encode(),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def digests(*frames: pa.RecordBatch) -> dict[FieldSeries, SeriesDigest]:
    digester = SeriesDigester()
    for part in frames:
        digester.add(part)
    return digester.series


ROWS: list[Row] = [(1, 1.5, "watts", "a"), (2, -0.0, "watts", "a"), (2, 7.0, "volts", "a"), (2, 7.0, "volts", None)]
rows_strategy = st.lists(
    st.tuples(
        st.integers(-(2**62), 2**62),
        st.floats(allow_nan=False),
        st.sampled_from(["watts", "volts"]),
        st.sampled_from(["a", "b", None]),
    ),
    min_size=1,
    max_size=40,
)


def test_each_lane_of_a_checksum_counts_and_both_are_added() -> None:
    assert SeriesDigest(1, (2, 30)) + SeriesDigest(10, (20, 300)) == SeriesDigest(11, (22, 330))
    found = digests(frame([(1, 1.5, "watts", "a"), (2, -0.0, "watts", "a"), (2, 7.0, "volts", None)]))
    assert {key.field: (digest.count, *digest.checksum) for key, digest in found.items()} == {
        "watts": (2, 15587833281060498790, 10486049285133638948),
        "volts": (1, 712349949424909385, 16863473094896671767),
    }


def test_series_are_counted_by_name() -> None:
    counts = {series: digest.count for series, digest in digests(frame(ROWS)).items()}
    assert counts == {
        FieldSeries(SeriesKey("power", (("site", "a"),)), "watts", FieldType.FLOAT): 2,
        FieldSeries(SeriesKey("power", (("site", "a"),)), "volts", FieldType.FLOAT): 1,
        FieldSeries(SeriesKey("power"), "volts", FieldType.FLOAT): 1,
    }


@given(rows_strategy, st.randoms(use_true_random=False), st.integers(0, 40))
def test_order_and_division_into_frames_do_not_matter(rows: list[Row], chance: np.random.Generator, cut: int) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)
    parts = [frame(part) for part in (shuffled[:cut], shuffled[cut:]) if part]
    assert digests(*parts) == digests(frame(rows))


@pytest.mark.parametrize(
    "changed",
    [
        [(1, 1.5, "watts", "a"), (2, 0.0, "watts", "a"), (2, 7.0, "volts", "a"), (2, 7.0, "volts", None)],
        [(1, 1.5, "watts", "a"), (3, -0.0, "watts", "a"), (2, 7.0, "volts", "a"), (2, 7.0, "volts", None)],
        [(2, 1.5, "watts", "a"), (1, -0.0, "watts", "a"), (2, 7.0, "volts", "a"), (2, 7.0, "volts", None)],
        [(1, 1.5, "watts", "a"), (2, -0.0, "watts", "a"), (2, 7.0, "volts", "b"), (2, 7.0, "volts", None)],
        [(1, 1.5, "watts", "a"), (2, -0.0, "watts", "a"), (2, 7.0, "volts", "a")],
        [*ROWS, (9, 0.0, "watts", "a")],
    ],
    ids=["sign of zero", "a time", "values swapped", "a tag", "one less", "one more"],
)
def test_any_change_of_a_point_changes_the_digests(changed: list[Row]) -> None:
    assert digests(frame(changed)) != digests(frame(ROWS))


def test_the_integer_seven_is_not_the_float_seven() -> None:
    rows: list[Row] = [(1, 7, "watts", "a")]
    [as_float] = digests(frame(rows)).items()
    [as_integer] = digests(frame(rows, FieldType.INTEGER)).items()
    assert (as_float[0].type, as_integer[0].type) == (FieldType.FLOAT, FieldType.INTEGER)
    assert as_float[1].checksum != as_integer[1].checksum


def test_text_is_digested_by_its_bytes() -> None:
    empty, line_feed, carriage = ([(1, text, "mode", "a")] for text in ("", "\n", "\r\n"))
    checksums = {
        digest.checksum
        for rows in (empty, line_feed, carriage)
        for digest in digests(frame(rows, FieldType.STRING)).values()  # type: ignore[arg-type]
    }
    assert len(checksums) == 3


def test_every_type_can_be_digested() -> None:
    for kind, value in ((FieldType.UNSIGNED, 2**64 - 1), (FieldType.INTEGER, -(2**63)), (FieldType.BOOLEAN, True)):
        [digest] = digests(frame([(1, value, "f", "a")], kind)).values()
        assert digest.count == 1


def test_without_points_there_is_no_digest() -> None:
    assert digests() == {}
    assert digests(frame([(1, 1.5, "watts", "a")]).slice(0, 0)) == {}
