"""The names of backups: a sequence number of our own, which alone says what is newer, and the clock's time for people.

`00000012-20260131T235900Z` is backup 12 of its destination. The time in it is never relied on.
"""

import re

from service.archive.paths import range_text
from service.domain.durations import SECOND_NS
from service.domain.timerange import LATEST_NS, TimeRange

_ID = re.compile(r"(\d{8})-\d{8}T\d{6}Z", re.ASCII)
LARGEST_SEQUENCE = 99_999_999


def backup_id(sequence: int, now_ns: int) -> str:
    """The id of a backup that begins at `now_ns`. Raises ValueError for a sequence beyond 1 to 99,999,999."""
    if not 1 <= sequence <= LARGEST_SEQUENCE:
        raise ValueError(f"no sequence number of a backup: {sequence}")
    second_ns = min(now_ns, LATEST_NS - SECOND_NS) // SECOND_NS * SECOND_NS
    stamp = range_text(TimeRange(second_ns, second_ns + SECOND_NS)).partition("-")[0]
    return f"{sequence:08d}-{stamp}"


def sequence_of(name: str) -> int | None:
    """The sequence number of a backup's id; None for what is no id."""
    matched = _ID.fullmatch(name)
    return int(matched[1]) if matched and int(matched[1]) else None
