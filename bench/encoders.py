"""What each format costs: CPU seconds per million values, and the ratio to Arrow's own CSV writer.

100 series of 3 tags, 10 float fields, 1,000 times with nanosecond jitter (1,000,000 values), as one
block and as blocks of 1,000 rows a field. Run: python -m bench.encoders
"""

import io
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.csv

from service.domain.schema import FieldType
from service.domain.selection import FieldPlan, MeasurementPlan, ReadPlan
from service.domain.timerange import TimeRange
from service.encoding.encoders import Format, Layout, Shape, encode
from service.frames.frame import TEXT_CODES, TIME, Block, constant_codes, long_schema

HOSTS, FIELDS, TIMES = 100, 10, 1_000
TAGS = ("dc", "host", "rack")


def sample() -> Block:
    draw, rows = np.random.default_rng(1), HOSTS * TIMES
    steps_ns = np.tile(1_700_000_000_000_000_000 + np.arange(TIMES) * 10_000_000_000, HOSTS)
    times = pa.array(steps_ns + draw.integers(0, 10**9, rows)).cast(TIME)
    host = pa.array(np.repeat(np.arange(HOSTS, dtype=np.int32), TIMES))
    texts = [
        [f"dc{n % 4}" for n in range(HOSTS)],
        [f"host_{n:03d}" for n in range(HOSTS)],
        [f"r{n % 20}" for n in range(HOSTS)],
    ]
    tags = [pa.DictionaryArray.from_arrays(host, pa.array(values)).cast(TEXT_CODES) for values in texts]
    return tuple(
        pa.RecordBatch.from_arrays(
            [
                times,
                pa.array(draw.normal(50, 10, rows)),
                constant_codes(f"field_{n}", rows),
                constant_codes("cpu", rows),
                *tags,
            ],
            schema=long_schema(FieldType.FLOAT, TAGS),
        )
        for n in range(FIELDS)
    )


def cpu_s(act: Callable[[], object]) -> float:
    """The least of three runs."""
    found = []
    for _ in range(3):
        start = time.process_time()
        act()
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    block = sample()
    fields = tuple(FieldPlan(f"field_{n}", (FieldType.FLOAT,), None, (FieldType.FLOAT,)) for n in range(FIELDS))
    plan = ReadPlan((MeasurementPlan("cpu", TAGS, fields),))
    small = [tuple(frame.slice(start, 1_000) for frame in block) for start in range(0, HOSTS * TIMES, 1_000)]
    table = pa.Table.from_batches(block)
    texts = [column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column for column in table.columns]
    plain = pa.table(texts, table.column_names)
    base = cpu_s(lambda: pyarrow.csv.write_csv(plain, io.BytesIO()))
    print(f"{'pyarrow.csv.write_csv, long':34} {base:6.2f} s   1.00")
    for shape in Shape:
        for form in Format:
            layout = Layout(form, shape, "UTC", "bench", TimeRange(0, 1), "raw")
            for name, blocks in (("one block", [block]), ("small blocks", small)):
                spent = cpu_s(lambda blocks=blocks, layout=layout: list(encode(iter(blocks), plan, layout)))
                print(f"{f'{form}, {shape}, {name}':34} {spent:6.2f} s   {spent / base:.2f}")


if __name__ == "__main__":
    main()
