"""The map of changes in the cache: whole, or unknown."""

import pytest

from service.domain.timerange import TimeRange
from service.stores.cached.changes import Changes
from tests.support.caches import SharedCache

MINUTE_NS = 60_000_000_000


@pytest.mark.parametrize("changes", [1, 2, 3, 7])
def test_a_part_of_the_map_is_another_state(changes: int) -> None:
    """Half of a map read as a map with fewer changes, so that windows that had changed looked good."""
    cache = SharedCache()
    noted = Changes(cache)
    for number in range(changes):
        start_ns = number * 10 * MINUTE_NS
        noted.note("b", [TimeRange(start_ns, start_ns + MINUTE_NS)])
    before = noted.stamp("b")
    assert before is not None and len(before.changes.changes) == changes
    value = cache.get("changes:b")
    assert value is not None
    for length in range(len(value)):
        cache.put("changes:b", value[:length], 60)
        after = noted.stamp("b")
        assert after is not None and after.identity != before.identity, length
    cache.put("changes:b", value, 60)
    assert noted.stamp("b") == before
