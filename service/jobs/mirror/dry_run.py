"""Finds what a run would copy and remove, and changes nothing."""

from collections.abc import Sequence

from service.domain.mirror_slices import SliceState
from service.jobs.mirror.deletes import Deleter
from service.jobs.mirror.pair_context import PairContext
from service.jobs.mirror.pair_report import MOST_LISTED, PairReport


def forecast(
    context: PairContext,
    deleter: Deleter,
    report: PairReport,
    to_copy: Sequence[int],
    to_compare: Sequence[int],
) -> None:
    """Report the slices that a run would copy: `to_copy`, and those of `to_compare` whose values differ.

    Raises what `PairContext` does.
    """
    differing = sorted([*to_copy, *(start_ns for start_ns in to_compare if _differs(context, start_ns))])
    report.states[SliceState.DIFFERENT] += len(differing)
    report.list_differing(differing)
    if context.mirror.follow_deletes:
        for start_ns in differing[:MOST_LISTED]:
            extras = deleter.only_on_target(context.slice(start_ns))
            report.would_delete += [extra.summary() for extra in extras][:MOST_LISTED]


def _differs(context: PairContext, start_ns: int) -> bool:
    of_source, of_target = context.slice_digests(context.slice(start_ns), context.step_ns)
    return of_source != of_target
