"""The result of a run, and the sentence about each pair of buckets for the log."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from service.domain.job import Json
from service.domain.mirror import BucketPair, Mirror
from service.domain.mirror_slices import SliceState
from service.jobs.mirror.pair_report import PairReport, left_out_member, left_out_text

_WORST_FIRST = (SliceState.DIFFERENT, SliceState.UNKNOWN, SliceState.PARTIAL, SliceState.EXTRA)


def worst_state(counts: Iterable[Mapping[SliceState, int]]) -> SliceState:
    """The worst state that any slice has; `equal` where none has a worse one."""
    present = {state for states in counts for state, count in states.items() if count}
    return next((state for state in _WORST_FIRST if state in present), SliceState.EQUAL)


def dry_run_state(reports: Iterable[PairReport]) -> SliceState:
    """The worst state that a dry run found."""
    reports = list(reports)
    if any(report.target_lacks_bucket for report in reports):
        return SliceState.DIFFERENT
    return with_left_out(worst_state(report.states for report in reports), reports)


def with_left_out(state: SliceState, reports: Iterable[PairReport]) -> SliceState:
    """`state`, or PARTIAL where that is worse and some measurement is left out."""
    partial = any(report.left_out for report in reports)
    return worst_state([{state: 1}, {SliceState.PARTIAL: int(partial)}])


def slices_text(count: int) -> str:
    """The number with its noun."""
    return "1 slice" if count == 1 else f"{count} slices"


def pair_result(pair: BucketPair, report: PairReport) -> Json:
    """The entry of a pair in the result of the job."""
    return {
        "source": pair.source,
        "target": pair.target,
        "target_lacks_bucket": report.target_lacks_bucket,
        "compared": report.compared,
        "summed": report.values_compared,
        "copied_slices": report.copied_slices,
        "copied_points": report.copied_points,
        "rejected": report.rejected,
        "deleted": report.deleted,
        "slices": {state.value: report.states[state] for state in SliceState},
        "differing": report.differing,
        "would_delete": report.would_delete,
        **left_out_member(report.left_out),
    }


def pair_sentence(pair: BucketPair, report: PairReport, dry_run: bool, dead_letters: Path) -> tuple[str, str]:
    """Level and line for the log. `dead_letters` is the file of dead letters."""
    compared = f"{pair}: {slices_text(report.compared)} compared"
    if dry_run:
        points = sum(int(str(extra["points"])) for extra in report.would_delete)
        removed = f", and {points:,} points removed" if points else ""
        line = f"{compared}, {report.states[SliceState.DIFFERENT]} would be copied{removed}."
        left_out = left_out_text(report.left_out)
        return ("error", f"{line} PARTIAL: {left_out}") if left_out else ("info", line)
    level, line = _done_sentence(compared, report, dead_letters)
    left_out = left_out_text(report.left_out)
    return ("error", f"{line} PARTIAL: {left_out}") if left_out else (level, line)


def _done_sentence(compared: str, report: PairReport, dead_letters: Path) -> tuple[str, str]:
    done = f"{compared}, {report.copied_slices} copied with {report.copied_points:,} points"
    if report.states[SliceState.PARTIAL]:
        return (
            "error",
            f"{done}. PARTIAL: the target refused {report.rejected:,} values; {dead_letters} has each with the reason.",
        )
    if report.states[SliceState.EXTRA]:
        where = f"In {slices_text(report.states[SliceState.EXTRA])}"
        return "warning", f"{done}. {where} the target has points that the source has not (deleted there?)."
    return "info", f"{done}."


def incomplete_message(mirror: Mirror, reports: Mapping[BucketPair, PairReport]) -> str:
    """Why a run is tried again: some pair has slices that still differ."""
    pair, report = next((pair, report) for pair, report in reports.items() if report.states[SliceState.DIFFERENT])
    slices, first = report.states[SliceState.DIFFERENT], report.differing[0] if report.differing else "an earlier run"
    return (
        f"The target ({mirror.target}) acknowledged points of {pair} that it does not give back, in {slices} slices,"
        f" the first of {first}. They are copied again at the next try."
    )
