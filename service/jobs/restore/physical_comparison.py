"""Whether a bucket has what it had when its backup began: InfluxDB answers success to a restore that failed."""

from dataclasses import dataclass
from enum import StrEnum

from service.archive.physical_counts import BucketCounts
from service.domain.job import Json
from service.domain.timerange import format_time

_MOST_NAMED = 50


class CountState(StrEnum):
    """`equal`: as many values in each slice. `more`: in some, as they were written while the backup ran. `different`:
    fewer in some. `not_compared`: no count is known."""

    EQUAL = "equal"
    MORE = "more"
    DIFFERENT = "different"
    NOT_COMPARED = "not_compared"


@dataclass(frozen=True)
class CountComparison:
    """`expected`: when the backup began; `counted`: after the restore. None: not known."""

    expected: BucketCounts | None
    counted: BucketCounts | None

    @property
    def state(self) -> CountState:
        if self.expected is None or self.counted is None:
            return CountState.NOT_COMPARED
        if self.lacking():
            return CountState.DIFFERENT
        return CountState.EQUAL if self.expected.total == self.counted.total else CountState.MORE

    def lacking(self) -> list[tuple[int, int, int]]:
        """The start of each slice that has fewer values than expected, with both counts; of slices that both count."""
        expected, counted = self.expected, self.counted
        if expected is None or counted is None:
            return []
        if expected.step_ns != counted.step_ns:
            first_ns = min(expected.values, default=0)
            return [(first_ns, expected.total, counted.total)] if counted.total < expected.total else []
        pairs = ((start, count, counted.values.get(start, 0)) for start, count in sorted(expected.values.items()))
        return [(start, count, present) for start, count, present in pairs if present < count]

    def json(self) -> Json:
        lacking = self.lacking()
        return {
            "state": self.state.value,
            "expected_values": None if self.expected is None else self.expected.total,
            "values": None if self.counted is None else self.counted.total,
            "different_slices": len(lacking),
            "differing": [
                {"start": format_time(start_ns), "expected_values": expected, "values": counted}
                for start_ns, expected, counted in lacking[:_MOST_NAMED]
            ],
        }


def sentence(name: str, comparison: Json) -> tuple[str, str]:
    """The level and the line of the log for a comparison."""
    state, values, expected = (comparison[member] for member in ("state", "values", "expected_values"))
    if state == CountState.NOT_COMPARED:
        return "warning", f"{name}: restored, and not compared: its values were not counted before, or cannot be now."
    if state == CountState.DIFFERENT:
        return "error", f"{name}: {values:,} values, and {expected:,} when the backup began. Some are lost."
    more = "" if state == CountState.EQUAL else f", {values - expected:,} more than when the backup began"
    return "info", f"{name}: {values:,} values{more}."


def worst(states: set[str]) -> str:
    """What the whole restore is called by."""
    order = (CountState.DIFFERENT, CountState.NOT_COMPARED, CountState.MORE)
    return next((state.value for state in order if state.value in states), CountState.EQUAL.value)
