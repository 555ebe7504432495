"""A source of one's own: the CSV files of a small historian, one file per day, as points for a connector."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from service.domain.timerange import TimeRange
from service.sources.python_source import PythonSource

DAY = dt.timedelta(days=1)
FORMAT = pyarrow.csv.ConvertOptions(
    column_types={"time": pa.timestamp("ns", tz="UTC"), "sensor": pa.string(), "value": pa.float64()},
)


class Historian(PythonSource):
    """Reads `folder`: files such as 2026-01-31.csv with the columns time, sensor and value, sorted by time."""

    def check(self) -> None:
        """Refuse options that cannot work, before anything is read."""
        if not Path(self.options.get("folder", "")).is_dir():
            raise ValueError("options.folder is no folder")

    def read(self, window: TimeRange) -> Iterator[pa.Table]:
        """One table per day."""
        day = _day_of(window.start_ns)
        while day <= _day_of(window.stop_ns - 1):
            file = Path(self.options["folder"]) / f"{day}.csv"
            if file.exists():
                rows = pyarrow.csv.read_csv(file, convert_options=FORMAT)
                times = rows["time"].cast(pa.int64())
                yield rows.filter(pc.and_(pc.greater_equal(times, window.start_ns), pc.less(times, window.stop_ns)))
            day += DAY

    def oldest_ns(self) -> int | None:
        """The first time of the first file."""
        files = sorted(Path(self.options["folder"]).glob("*.csv"))
        if not files:
            return None
        return int(pyarrow.csv.read_csv(files[0], convert_options=FORMAT)["time"][0].value)


def _day_of(time_ns: int) -> dt.date:
    return dt.datetime.fromtimestamp(time_ns // 10**9, dt.UTC).date()
