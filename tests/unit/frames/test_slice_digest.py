"""Digests of slices: equal for equal points in any order and division, different for any change of a bit."""

import random
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.domain.schema import FieldType
from service.frames.frame import VALUE_TYPES, long_schema
from service.frames.slice_digest import SliceDigest, SliceDigester, differing, summed
from tests.support.work import steps_of

STEP = 1_000
Row = tuple[int, float, str, str | None]
times = st.integers(-9_223_372_036_854_775_806, 9_223_372_036_854_775_806) | st.integers(-3 * STEP, 3 * STEP)
rows_of_series = st.tuples(
    times, st.floats(allow_nan=False), st.sampled_from(["watts", "volts"]), st.sampled_from(["a", "b", None])
)
many_rows = st.lists(rows_of_series, min_size=1, max_size=40)


def frame(
    rows: list[Row], kind: FieldType = FieldType.FLOAT, measurement: str = "power", tag: str = "site"
) -> pa.RecordBatch:
    schema = long_schema(kind, (tag,))
    stamps, values, fields, sites = zip(*rows, strict=True)
    columns = [
        pa.array(stamps, pa.int64()).cast(schema.field(0).type),
        pa.array(values, VALUE_TYPES[kind]),
        pa.array(fields, pa.string()).dictionary_encode(),
        pa.array([measurement] * len(rows)).dictionary_encode(),
        pa.array(sites, pa.string()).dictionary_encode(),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def digests(*frames: pa.RecordBatch, step_ns: int = STEP, stamped_at_stop: bool = False) -> dict[int, SliceDigest]:
    digester = SliceDigester(step_ns, stamped_at_stop)
    for one in frames:
        digester.add(one)
    return digester.slices


def one(*frames: pa.RecordBatch) -> SliceDigest:
    """Of points that lie in one slice."""
    [found] = digests(*frames).values()
    return found


ROWS: list[Row] = [(1, 1.5, "watts", "a"), (2, -0.0, "watts", "a"), (2, 7.0, "volts", "a"), (2, 7.0, "volts", None)]


def test_digests_stay_what_they_are_in_manifests_and_ledgers() -> None:
    """A backup of last year is held against the data of today, so these numbers never change.

    They were computed by a second program, in Python's integers, from the docstrings of the modules."""
    mixed = digests(
        frame(ROWS),
        frame([(5, "ä", "note", "a"), (1_000, "", "note", None)], FieldType.STRING),  # type: ignore[list-item]
        frame([(-1, True, "on", "b")], FieldType.BOOLEAN, measurement="heat"),
    )
    assert {start: (digest.counts, digest.checksum) for start, digest in mixed.items()} == {
        -1_000: ("1:7f1fcbcdf76938fefd7316bc878ad91a", "e3bd852c72b83f3fd098a17553401ed6"),
        0: ("5:9d5529e07db31bba480d53dc232c581c", "9d62d21097347bd1567e21b99f5cf84f"),
        1_000: ("1:b2f4cd128063189d9bf58f1300ae13cc", "f6d4584a4d9687aded961825c3dacbbf"),
    }


def test_each_lane_alone_tells_slices_apart() -> None:
    """Two lanes that were the same would be one of 64 bits."""
    kinds = [(FieldType.FLOAT, 1.0), (FieldType.INTEGER, 1), (FieldType.STRING, "1"), (FieldType.BOOLEAN, True)]
    single = [one(frame([(1, value, "watts", "a")], kind)) for kind, value in kinds]  # type: ignore[list-item]
    single += [one(frame([row])) for row in [(2, 1.0, "watts", "a"), (1, 2.0, "watts", "a"), (1, 1.0, "volts", None)]]
    for lane in (0, 1):
        assert len({digest.values[lane] for digest in single}) == len(single)
        assert len({digest.series[lane] for digest in single}) == 2
    assert [digest for digest in single if digest.values[0] == digest.values[1]] == []
    assert [digest for digest in single if digest.series[0] == digest.series[1]] == []


def test_digests_add_up_lane_by_lane() -> None:
    total = SliceDigest(1, (2, 30), (400, 5000)) + SliceDigest(10, (20, 300), (4000, 50000))
    assert total == SliceDigest(11, (22, 330), (4400, 55000))
    assert SliceDigest(7, (1, 2**64 - 1), (3, 4)).counts == "7:0000000000000001ffffffffffffffff"
    assert SliceDigest(7, (1, 2), (3, 2**64 - 1)).checksum == "0000000000000003ffffffffffffffff"
    assert SliceDigest.of_counts("7:0000000000000001ffffffffffffffff") == SliceDigest(7, (1, 2**64 - 1))


def test_frames_of_a_block_are_numbered_once() -> None:
    """They share their times and labels, so a second field costs its values alone."""
    first = frame([(time, 1.5, "watts", f"site {time}") for time in range(200)])
    second = first.set_column(1, first.schema.field(1), pa.array([2.5] * 200))
    digester = SliceDigester(STEP)
    whole = steps_of(lambda: digester.add(first))
    assert steps_of(lambda: digester.add(second)) < whole / 2
    assert digester.slices == summed([digests(first), digests(second)])


def test_slices_are_named_by_their_start_on_the_grid_from_1970() -> None:
    found = digests(
        frame([(-1, 1.0, "watts", "a"), (0, 1.0, "watts", "a"), (999, 1.0, "watts", "a"), (1_000, 1.0, "watts", "a")])
    )
    assert {start_ns: digest.count for start_ns, digest in found.items()} == {-1_000: 1, 0: 2, 1_000: 1}


def test_a_window_that_stops_on_an_edge_is_of_the_slice_before() -> None:
    found = digests(frame([(1_000, 1.0, "watts", "a"), (1_001, 1.0, "watts", "a")]), stamped_at_stop=True)
    assert {start_ns: digest.count for start_ns, digest in found.items()} == {0: 1, 1_000: 1}


def test_the_first_and_the_last_instant_are_counted() -> None:
    found = digests(
        frame([(-9_223_372_036_854_775_806, 1.0, "watts", "a"), (9_223_372_036_854_775_806, 1.0, "watts", "a")])
    )
    assert sum(digest.count for digest in found.values()) == 2


@given(many_rows, st.randoms(use_true_random=False), st.integers(0, 40))
def test_order_and_division_into_frames_do_not_matter(rows: list[Row], chance: random.Random, cut: int) -> None:
    shuffled = chance.sample(rows, len(rows))
    pieces = [frame(piece) for piece in (shuffled[:cut], shuffled[cut:]) if piece]
    assert digests(*pieces) == digests(frame(rows))


@given(many_rows, st.integers(0, 40), st.integers(0, 40))
def test_frames_that_share_memory_are_told_apart(rows: list[Row], start: int, length: int) -> None:
    """What rows have in common is remembered by where it lies.

    Pieces of one frame, and its columns under other names, are others."""
    whole = frame(rows)
    piece = whole.slice(start, length)
    other = pa.RecordBatch.from_arrays(whole.columns, schema=long_schema(FieldType.FLOAT, ("room",)))
    alike = pa.RecordBatch.from_arrays(
        [whole.column(0), pa.array([0.5] * len(rows)), *whole.columns[2:]], schema=whole.schema
    )
    frames = [whole, piece, other, alike, whole]
    apart = [digests(pa.ipc.open_stream(_copied(one)).read_all().to_batches()[0]) for one in frames if one.num_rows]
    assert digests(*frames) == summed(apart)


@pytest.mark.parametrize("place", [2, 3, 4], ids=["field", "measurement", "tag"])
@pytest.mark.parametrize("text", ["other", None])
def test_frames_that_share_their_times_are_told_apart_by_a_label_that_all_their_rows_have(
    place: int, text: str | None
) -> None:
    whole = frame([(1, 1.5, "watts", "a"), (2, 2.5, "watts", "a")])
    if text is None and place < 4:
        text = "third"
    labels = pa.array([text] * 2, pa.string()).dictionary_encode()
    changed = whole.set_column(place, whole.schema.field(place), labels)
    assert digests(changed) != digests(whole)
    assert digests(whole, changed) == summed([digests(whole), digests(changed)])


def _copied(one: pa.RecordBatch) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, one.schema) as stream:
        stream.write_batch(one)
    return sink.getvalue()


@given(many_rows)
def test_short_slices_add_up_to_long_ones(rows: list[Row]) -> None:
    total: dict[int, SliceDigest] = {}
    for start_ns, digest in digests(frame(rows), step_ns=100).items():
        place = start_ns - start_ns % STEP
        total[place] = total.get(place, SliceDigest()) + digest
    assert total == digests(frame(rows))


@given(many_rows, st.data())
def test_any_bit_of_a_value_changes_the_checksum_and_not_the_counts(rows: list[Row], data: st.DataObject) -> None:
    place, bit = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, 63))
    whole = pa.array([row[1] for row in rows]).view(pa.uint64()).to_pylist()
    whole[place] ^= 1 << bit
    values = pa.array(whole, pa.uint64()).view(pa.float64())
    taken = frame(rows)
    changed = taken.set_column(1, taken.schema.field(1), values)
    before, after = digests(taken), digests(changed)
    assert len(list(differing(before, after))) == 1
    assert {start: digest.counts for start, digest in before.items()} == {
        start: digest.counts for start, digest in after.items()
    }


@given(many_rows, st.data())
def test_any_other_nanosecond_changes_the_checksum(rows: list[Row], data: st.DataObject) -> None:
    place, other = data.draw(st.integers(0, len(rows) - 1)), data.draw(times)
    assume(rows[place][0] != other)
    moved = [(other, *row[1:]) if at == place else row for at, row in enumerate(rows)]
    assume(Counter(moved) != Counter(rows))
    assert list(differing(digests(frame(rows)), digests(frame(moved)))) != []


@given(many_rows, st.data())
def test_a_lost_or_doubled_point_changes_the_counts(rows: list[Row], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    more = [*rows, rows[place]]
    start_ns = rows[place][0] - rows[place][0] % STEP
    assert digests(frame(more))[start_ns].counts != digests(frame(rows))[start_ns].counts


@pytest.mark.parametrize(
    "other",
    [
        frame([(1, 1.5, "volts", "a")]),
        frame([(1, 1.5, "watts", "b")]),
        frame([(1, 1.5, "watts", None)]),
        frame([(1, 1.5, "watts", "a")], measurement="heat"),
        frame([(1, 1.5, "watts", "a")], tag="place"),
        frame([(1, 1.5, "a", "watts")]),
    ],
    ids=["field", "tag value", "no tag", "measurement", "tag key", "names exchanged"],
)
def test_another_series_changes_the_counts(other: pa.RecordBatch) -> None:
    assert one(other).counts != one(frame([(1, 1.5, "watts", "a")])).counts


@pytest.mark.parametrize(
    "exchanged",
    [frame([(1, 2.0, "watts", "a"), (2, 1.0, "watts", "a")]), frame([(2, 1.0, "watts", "b"), (1, 2.0, "watts", "a")])],
)
def test_values_that_change_places_change_the_checksum(exchanged: pa.RecordBatch) -> None:
    straight = one(frame([(1, 1.0, "watts", "a"), (2, 2.0, "watts", "a")]))
    assert one(exchanged).checksum != straight.checksum


def test_a_type_changes_the_checksum_even_where_the_bits_are_the_same() -> None:
    [signed, unsigned, floats] = [
        one(frame([(1, 0, "watts", "a")], kind)) for kind in (FieldType.INTEGER, FieldType.UNSIGNED, FieldType.FLOAT)
    ]  # fmt: skip
    assert len({signed.checksum, unsigned.checksum, floats.checksum}) == 3
    assert signed.counts == unsigned.counts == floats.counts


@pytest.mark.parametrize(
    ("kind", "values"), [(FieldType.STRING, ["", " ", "ä", "a\0"]), (FieldType.BOOLEAN, [True, False])]
)
def test_texts_and_booleans_differ_by_their_values(kind: FieldType, values: list[object]) -> None:
    assert len({one(frame([(1, value, "watts", "a")], kind)).checksum for value in values}) == len(values)  # type: ignore[list-item]


def test_a_tag_that_no_row_has_is_no_tag() -> None:
    """Once it raised IndexError: such a column has an empty dictionary."""
    without = frame([(1, 1.5, "watts", None), (2, 1.5, "watts", None)])
    assert len(without.column(4).dictionary) == 0
    assert one(without) == one(frame([(1, 1.5, "watts", None), (2, 1.5, "watts", None)], tag="place"))


@given(many_rows)
def test_counts_of_windows_equal_those_of_their_points(rows: list[Row]) -> None:
    rows = [row for row in rows if abs(row[0]) < 2**62] or ROWS
    counted = Counter((row[0] - row[0] % STEP + STEP, row[2], row[3]) for row in rows)
    digester = SliceDigester(STEP, stamped_at_stop=True)
    digester.add_counts(
        frame([(stop, count, field, site) for (stop, field, site), count in counted.items()], FieldType.INTEGER)
    )
    of_points = digests(frame(rows))
    assert {start: digest.counts for start, digest in digester.slices.items()} == {
        start: digest.counts for start, digest in of_points.items()
    }


def test_nothing_makes_no_slice() -> None:
    empty = frame(ROWS).slice(0, 0)
    digester = SliceDigester(STEP)
    digester.add(empty)
    digester.add_counts(empty)
    assert digester.slices == {}


def test_differing_slices_are_named_in_order() -> None:
    left = digests(frame([(1, 1.0, "watts", "a"), (1_001, 1.0, "watts", "a"), (2_001, 1.0, "watts", "a")]))
    right = digests(frame([(1, 1.0, "watts", "a"), (1_001, 2.0, "watts", "a"), (3_001, 1.0, "watts", "a")]))
    assert list(differing(left, right)) == [1_000, 2_000, 3_000]


@given(many_rows)
def test_counts_can_be_read_back(rows: list[Row]) -> None:
    for digest in digests(frame(rows)).values():
        assert SliceDigest.of_counts(digest.counts) == SliceDigest(digest.count, digest.series)
    assert SliceDigest.of_counts(SliceDigest().counts) == SliceDigest()
