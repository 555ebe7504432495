"""How late the points of each bucket were seen to arrive, as all reads of this process know it.

Windows are kept under the settle time in their key, so a longer one never takes those of a shorter one. Those that were
kept before it grew may have changed since, without a word: so nothing of the bucket is used any more when it falls.
"""

from collections.abc import Callable, Mapping


class Lateness:
    """Thread-safe for one caller of `put`. `forget` makes everything worthless that is kept of a bucket."""

    def __init__(self, forget: Callable[[str], None]) -> None:
        self._forget = forget
        self._late_ns: Mapping[str, int] = {}

    def by_bucket(self) -> Mapping[str, int]:
        """How late, in ns. A read asks for it before it takes the state of its bucket."""
        return self._late_ns

    def put(self, late_ns: Mapping[str, int]) -> None:
        """What is known from now on. Buckets that are absent are as if they had never been late."""
        for bucket, before_ns in self._late_ns.items():
            if late_ns.get(bucket, 0) < before_ns:
                self._forget(bucket)
        self._late_ns = dict(late_ns)
