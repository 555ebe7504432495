"""The bounds of the cached store, and what it tells of its work."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from service.domain.durations import HOUR_NS, MINUTE_NS
from service.domain.lateness import settle_ns


def _ignore(_number: float) -> None:
    """Ignore the number."""


@dataclass(frozen=True)
class SettleTime:
    """How old a window of a bucket is before it is kept. `late_ns`: how late its points were seen to arrive. `is_set`:
    the bucket has a setting of its own.
    """

    bucket: str
    settle_ns: int
    late_ns: int | None
    is_set: bool


@dataclass(frozen=True)
class CacheLimits:
    """`settle_ns`: how old a window is before it is kept, because points may still come; `settle_by_bucket_ns` for some
    buckets. `late_by_bucket_ns`: how late points were seen to arrive; where that is more than `settle_ns`, it counts
    instead, up to `most_settle_ns`. `kept_s`: how long a window is kept at most. `contents_s`: how long a bucket's
    schema is. `checked`: the share of hits that is asked again. `parallel`: how many queries for parts of reads run at
    one time.
    """

    settle_ns: int = 10 * MINUTE_NS
    settle_by_bucket_ns: Mapping[str, int] = field(default_factory=dict)
    late_by_bucket_ns: Callable[[], Mapping[str, int]] = dict
    most_settle_ns: int = 6 * HOUR_NS
    kept_s: float = 2 * 3600.0
    contents_s: float = 2.0
    checked: float = 0.001
    parallel: int = 4
    most_rows: int = 1_000_000
    """The most rows that a read puts together or keeps, about 40 bytes each."""
    most_blocks: int = 1_024
    """The most blocks that a read looks for."""
    wait_s: float = 10.0
    """How long a read waits for another one that asks for the same windows."""
    store_identity: str = ""
    """Says which database answers are from, so that gateways of two may share one Redis."""

    def settle_of(self, bucket: str) -> int:
        """How old a window of `bucket` is before it is kept, now."""
        setting_ns = self.settle_by_bucket_ns.get(bucket)
        if setting_ns is not None:
            return setting_ns
        return settle_ns(self.settle_ns, self.late_by_bucket_ns().get(bucket, 0), self.most_settle_ns)

    def special_settle_times(self) -> list[SettleTime]:
        """Of each bucket with a setting of its own, or with points that were late, by name."""
        late_ns = self.late_by_bucket_ns()
        return [
            SettleTime(bucket, self.settle_of(bucket), late_ns.get(bucket), bucket in self.settle_by_bucket_ns)
            for bucket in sorted({*self.settle_by_bucket_ns, *late_ns})
        ]


@dataclass(frozen=True)
class CacheObserver:
    """Called with numbers: windows in answers, and asked of the store; bytes kept; waits for the queries of others;
    hits that were asked again; buckets whose kept windows were found to differ from the store. `read`: with outcomes.
    """

    windows_served: Callable[[float], object] = _ignore
    windows_asked: Callable[[float], object] = _ignore
    bytes_kept: Callable[[float], object] = _ignore
    waits: Callable[[float], object] = _ignore
    checked: Callable[[float], object] = _ignore
    stale_found: Callable[[float], object] = _ignore
    read: Callable[[str], object] = lambda _outcome: None


UNOBSERVED = CacheObserver()
