"""The sentences of a picture: what it shows, and what it does not."""

from collections.abc import Sequence

from service.domain.durations import HOUR_NS
from service.domain.selection import Fn
from service.domain.timerange import TimeRange
from service.pictures.series_points import MOST_COUNTED
from service.pictures.time_ticks import local_text

_SHORT_NS = HOUR_NS
"""The ends of a shorter range are told with their seconds."""
_MOST_NAMED = 20
EMPTY = "No numbers in this range"


def what_is_shown(fn: Fn | None, every: str, span: TimeRange, zone: str) -> str:
    """Which values of which range are drawn. `fn` None: the points themselves."""
    what = "All points" if fn in (None, Fn.M4) else f"{str(fn).capitalize()} of each {every}"
    is_short = span.length_ns < _SHORT_NS
    reach = " to ".join(local_text(time_ns, zone, is_short) for time_ns in (span.start_ns, span.stop_ns))
    return f"{what}, {reach}, {zone}"


def notes(drawn: int, series: int, skipped: Sequence[str], skipped_count: int, not_finite: int) -> list[str]:
    """What is not drawn, the weightiest first: series, fields without numbers, values that are no numbers.

    `drawn` of `series` series are drawn. `skipped` holds the first of `skipped_count` names of fields.
    """
    sentences = []
    if series > drawn > 0:
        count = f"{series:,}" if series < MOST_COUNTED else f"more than {MOST_COUNTED:,}"
        sentences.append(
            f"Only {drawn} of {count} series are drawn. Select measurements, fields or tags to see others."
        )
    if skipped_count:
        named = skipped[:_MOST_NAMED]
        more = f" and {skipped_count - len(named):,} more" if skipped_count > len(named) else ""
        sentences.append(f"Not drawn, as they hold no numbers: {', '.join(named)}{more}.")
    if not_finite:
        sentences.append(f"Not drawn: {not_finite:,} values that are NaN or infinite.")
    return sentences


def unknown_names(names: Sequence[str]) -> str:
    """Names that the bucket does not know, each after what it is the name of."""
    return f"The bucket does not know: {', '.join(names[:_MOST_NAMED])}."
