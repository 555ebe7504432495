"""Which backups are kept, by rules alone: nothing here reads a clock or a disk.

Order is that of sequence numbers; days are those of our own clock when each backup began. What a rule cannot judge is
kept: running, damaged, or dated in the future. Whatever is kept keeps the backups in which files of it lie.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from service.archive.catalog import ListedState
from service.domain.durations import SECOND_NS
from service.domain.timerange import format_time

MOST_AHEAD_NS = 24 * 3600 * SECOND_NS
"""How far ahead of our clock a backup may be dated: clocks of machines differ, but not by a day."""
Period = Callable[[dt.datetime], object]


@dataclass(frozen=True)
class Keep:
    """How many of the newest complete backups are kept, and of how many days, weeks, months and years the newest each.

    Raises ValueError for a negative number, and when nothing at all would be kept.
    """

    last: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0

    def __post_init__(self) -> None:
        numbers = (self.last, self.daily, self.weekly, self.monthly, self.yearly)
        if min(numbers) < 0 or max(numbers) == 0:
            raise ValueError("A retention keeps at least one backup: set one of last, daily, weekly, monthly, yearly.")


@dataclass(frozen=True)
class Candidate:
    """A backup as the rules see it.

    `created_ns`: our clock when it began. `proven`: a test restore of it succeeded. `references`: ids of the backups in
    which files of it lie. `scope`: what it was to hold, as a text; only backups of one scope replace each other.
    `in_use`: a job writes or reads it now.
    """

    backup_id: str
    sequence: int
    created_ns: int
    state: ListedState
    proven: bool = False
    references: frozenset[str] = frozenset()
    scope: str = ""
    in_use: bool = False


@dataclass(frozen=True)
class Verdict:
    """Whether a backup stays, and every reason for it in words."""

    backup_id: str
    keep: bool
    reasons: tuple[str, ...]


def verdicts(candidates: Sequence[Candidate], keep: Keep, now_ns: int, zone: dt.tzinfo = dt.UTC) -> list[Verdict]:
    """A verdict on each backup, newest first. `zone`: whose days, weeks, months and years.

    While any backup is dated in the future, nothing is removed: either our clock is wrong, or somebody else wrote it.
    """
    newest_first = sorted(candidates, key=lambda candidate: (candidate.sequence, candidate.backup_id), reverse=True)
    ahead = next((backup for backup in newest_first if backup.created_ns > now_ns + MOST_AHEAD_NS), None)
    if ahead is not None:
        reason = (
            f"nothing is removed while {ahead.backup_id} is dated {format_time(ahead.created_ns)}, in the future:"
            " set the clock right, or remove the folder of that backup by hand"
        )
        return [Verdict(backup.backup_id, True, (reason,)) for backup in newest_first]
    reasons = _reasons(newest_first, keep, zone)
    _keep_references(newest_first, reasons)
    return [_verdict(backup, reasons.get(backup.backup_id, [])) for backup in newest_first]


def _reasons(newest_first: Sequence[Candidate], keep: Keep, zone: dt.tzinfo) -> dict[str, list[str]]:
    """Why backups are kept for themselves, by id. Those that are not are absent."""
    reasons: dict[str, list[str]] = {}
    by_scope = sorted(newest_first, key=lambda backup: backup.scope)
    for _, group in groupby(by_scope, key=lambda backup: backup.scope):
        of_scope = list(group)
        complete = [backup for backup in of_scope if backup.state is ListedState.COMPLETE]
        for backup, reason in (*_by_rules(complete, keep, zone), *_by_state(of_scope, complete)):
            reasons.setdefault(backup.backup_id, []).append(reason)
    return reasons


def _by_rules(complete: Sequence[Candidate], keep: Keep, zone: dt.tzinfo) -> Iterable[tuple[Candidate, str]]:
    """Complete backups of one scope, newest first, that a rule keeps; and the last proven one."""
    for place, backup in enumerate(complete[: keep.last], start=1):
        yield backup, f"complete backup {place} of the last {keep.last}"
    rules: tuple[tuple[str, int, Period], ...] = (
        ("day", keep.daily, lambda day: day.date()),
        ("week", keep.weekly, lambda day: day.isocalendar()[:2]),
        ("month", keep.monthly, lambda day: (day.year, day.month)),
        ("year", keep.yearly, lambda day: day.year),
    )
    for name, count, period in rules:
        seen: set[object] = set()
        for backup in complete:
            key = period(_local(backup.created_ns, zone))
            if key not in seen and len(seen) < count:
                seen.add(key)
                yield backup, f"the newest of {name} {len(seen)} of {count}"
    proven = next((backup for backup in complete if backup.proven), None)
    if proven is not None:
        yield proven, "the last backup that was proven to restore"


def _by_state(of_scope: Sequence[Candidate], complete: Sequence[Candidate]) -> Iterable[tuple[Candidate, str]]:
    """Backups of one scope that are kept whatever the rules say."""
    newest_complete = complete[0].sequence if complete else 0
    for backup in of_scope:
        if backup.in_use:
            yield backup, "a job uses it"
        if backup.state is ListedState.DAMAGED:
            yield backup, "its manifest is damaged: look at it, and remove its folder by hand"
        elif backup.state is not ListedState.COMPLETE and backup.sequence > newest_complete:
            yield backup, f"{backup.state}, and no newer backup is complete"


def _keep_references(newest_first: Sequence[Candidate], reasons: dict[str, list[str]]) -> None:
    """Add what kept backups refer to, and what those refer to."""
    by_id = {backup.backup_id: backup for backup in newest_first}
    open_ids = list(reasons)
    while open_ids:
        referring = open_ids.pop()
        for reference in sorted(by_id[referring].references & by_id.keys()):
            if reference not in reasons:
                open_ids.append(reference)
            reason = f"files of {referring} lie in it"
            if reason not in reasons.setdefault(reference, []):
                reasons[reference].append(reason)


def _verdict(backup: Candidate, reasons: Sequence[str]) -> Verdict:
    if reasons:
        return Verdict(backup.backup_id, True, tuple(reasons))
    if backup.state is ListedState.COMPLETE:
        return Verdict(backup.backup_id, False, ("no rule keeps it",))
    return Verdict(backup.backup_id, False, (f"{backup.state}, and a newer backup is complete",))


def _local(time_ns: int, zone: dt.tzinfo) -> dt.datetime:
    return dt.datetime.fromtimestamp(time_ns // SECOND_NS, dt.UTC).astimezone(zone)
