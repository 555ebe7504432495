"""What a run says at its end: its result, and a sentence for each pair of buckets."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from service.domain.job import Json
from service.domain.mirror import BucketPair, Mirror
from service.domain.mirror_slices import SliceState
from service.jobs.mirror.pair_sync import PairReport


def worst(states: Iterable[Mapping[SliceState, int]]) -> SliceState:
    """The one that people have to know of first."""
    found = {state for one in states for state, count in one.items() if count}
    worst_first = (SliceState.DIFFERENT, SliceState.UNKNOWN, SliceState.PARTIAL, SliceState.EXTRA)
    return next((state for state in worst_first if state in found), SliceState.EQUAL)


def foreseen(reports: Iterable[PairReport]) -> SliceState:
    """What a dry run found."""
    reports = list(reports)
    return SliceState.DIFFERENT if any(one.target_lacks_bucket for one in reports) else worst(one.states for one in reports)


def slices_of(count: int) -> str:
    return "1 slice" if count == 1 else f"{count} slices"


def result_of(pair: BucketPair, report: PairReport) -> Json:
    return {
        "source": pair.source, "target": pair.target, "target_lacks_bucket": report.target_lacks_bucket,
        "compared": report.compared, "summed": report.summed, "copied_slices": report.copied_slices,
        "copied_points": report.copied, "rejected": report.rejected, "deleted": report.deleted,
        "slices": {state.value: report.states[state] for state in SliceState}, "differing": report.differing, "would_delete": report.would_delete,
    }  # fmt: skip


def sentence(pair: BucketPair, report: PairReport, dry: bool, letters: Path) -> tuple[str, str]:
    """Level and line. `letters` is the dead-letter file."""
    if dry:
        gone = sum(int(str(one["points"])) for one in report.would_delete)
        removed = f", and {gone:,} points removed" if gone else ""
        return "info", f"{pair}: {slices_of(report.compared)} compared, {report.states[SliceState.DIFFERENT]} would be copied{removed}."
    done = f"{pair}: {slices_of(report.compared)} compared, {report.copied_slices} copied with {report.copied:,} points"
    if report.states[SliceState.PARTIAL]:
        return "error", f"{done}. PARTIAL: the target refused {report.rejected:,} values; {letters} has each with the reason."
    if report.states[SliceState.EXTRA]:
        return "warning", f"{done}. In {slices_of(report.states[SliceState.EXTRA])} the target has points that the source has not (deleted there?)."
    return "info", f"{done}."


def lacking(mirror: Mirror, reports: Mapping[BucketPair, PairReport]) -> str:
    """Why a run is tried again: some pair has slices that still differ."""
    pair, report = next((pair, one) for pair, one in reports.items() if one.states[SliceState.DIFFERENT])
    return (
        f"The target ({mirror.target}) acknowledged points of {pair} that it does not give back, in {report.states[SliceState.DIFFERENT]} slices,"
        f" the first of {report.differing[0] if report.differing else 'an earlier run'}. They are copied again at the next try."
    )
