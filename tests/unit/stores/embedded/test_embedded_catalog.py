"""Shard groups by number: the same by scalar and by column, at both ends of time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.domain.durations import parse_duration
from service.domain.schema import Bucket, FieldType, MeasurementSchema
from service.domain.series import FieldSeries, SeriesKey
from service.domain.shards import shard_number
from service.domain.timerange import EARLIEST_NS, LATEST_NS
from service.stores.embedded.catalog import BucketContents, shard_numbers

shard_lengths = st.sampled_from([parse_duration(text, "shard") for text in ("1h", "1d", "1w", "5h", "260w")])
instants = st.one_of(st.integers(EARLIEST_NS, LATEST_NS), st.sampled_from([EARLIEST_NS, -1, 0, 1, LATEST_NS]))


@given(st.lists(instants, min_size=1), shard_lengths)
def test_numbers_are_the_same_one_by_one_and_by_column(times_ns: list[int], shard_ns: int) -> None:
    found = shard_numbers(np.array(times_ns, np.int64), shard_ns)
    assert found.tolist() == [shard_number(time_ns, shard_ns) for time_ns in times_ns]


def test_the_schema_lists_tags_of_all_series_and_types_of_all_shard_groups() -> None:
    contents = BucketContents(0, Bucket("b", "", 0, 10))
    contents.add_series(FieldSeries(SeriesKey("m", (("b", "1"),)), "f", FieldType.STRING), 0)
    contents.add_series(FieldSeries(SeriesKey("m", (("a", "1"), ("c", "2"))), "f", FieldType.FLOAT), 1)
    contents.add_type(("m", "f"), 7, FieldType.STRING)
    contents.add_type(("m", "f"), 8, FieldType.FLOAT)
    assert contents.schema(None) == [
        MeasurementSchema("m", ("a", "b", "c"), {"f": (FieldType.FLOAT, FieldType.STRING)})
    ]
    assert contents.schema(8) == [MeasurementSchema("m", ("a", "b", "c"), {"f": (FieldType.FLOAT,)})]
    assert contents.schema(9) == []
    contents.drop_shards_before(8)
    assert contents.types == {("m", "f"): {8: FieldType.FLOAT}}
