"""Where the rows of an answer are from, as a short text among its facts."""

from collections.abc import Iterator

from service.domain.timerange import format_time
from service.frames.frame import Block, Origin, Reading

_MOST_RANGES = 8


def told(reading: Reading, texts: dict[str, str]) -> Iterator[Block]:
    """The blocks of `reading`. Before the first one, or the end, `texts` learn where the rows are from."""
    is_told = reading.origin is None
    for block in reading.blocks:
        if not is_told:
            _tell(reading.origin, texts)
            is_told = True
        yield block
    if not is_told:
        _tell(reading.origin, texts)


def _tell(origin: Origin | None, texts: dict[str, str]) -> None:
    if origin is not None:
        texts.update({"origin": origin_text(origin), "asked": str(origin.asked_ns)})


def origin_text(origin: Origin) -> str:
    """`hit`, `partial; fetched=start/stop,start/stop`, `miss`, or `miss; reason=why` when nothing of it can be kept."""
    if origin.outcome == "partial":
        ranges = [f"{format_time(span.start_ns)}/{format_time(span.stop_ns)}" for span in origin.fetched]
        more = [f"+{len(ranges) - _MOST_RANGES}"] if len(ranges) > _MOST_RANGES else []
        return f"partial; fetched={','.join([*ranges[:_MOST_RANGES], *more])}"
    return f"miss; reason={origin.reason}" if origin.outcome == "bypass" else origin.outcome
