"""What monitoring is told about backups: how old the last good one of each bucket is."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from service.domain.durations import HOUR_NS
from service.jobs.backup.ages import BucketAge


@dataclass(frozen=True)
class AgeRule:
    """The last complete backup of each of `buckets` (None: of all) may be `max_age_hours` old; 0: however old."""

    max_age_hours: int
    buckets: tuple[str, ...] | None = None


NO_AGE_RULE = AgeRule(0)


def overdue(
    ages: Collection[BucketAge],
    present: Callable[[], Collection[str]],
    rule: AgeRule,
    now_ns: int,
) -> list[str]:
    """Buckets whose last complete backup is too old, or that have none, by name.

    `present`: the buckets of the store.
    """
    if not rule.max_age_hours:
        return []
    complete_ns = {age.bucket: age.complete_ns for age in ages if age.complete_ns is not None}
    oldest_ns = now_ns - rule.max_age_hours * HOUR_NS
    wanted = present() if rule.buckets is None else rule.buckets
    return sorted(name for name in wanted if complete_ns.get(name, oldest_ns - 1) < oldest_ns)
