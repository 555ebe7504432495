"""Where the rows of an answer are from, as texts beside its facts."""

from collections.abc import Iterator, Mapping

from service.domain.timerange import format_time
from service.frames.frame import Block, Origin, Reading

_MOST_RANGES = 8
_KEPT, _ASKED = "kept", "asked"


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
        texts.update({_KEPT: origin_text(origin), _ASKED: str(origin.asked_ns)})


def kept_before(texts: Mapping[str, str]) -> str:
    """What of an answer was kept when it was made, as `origin_text`; empty when nobody told."""
    return texts.get(_KEPT, "")


def asked_at_ns(texts: Mapping[str, str]) -> int | None:
    """When the store was asked for the oldest part of an answer; None when nobody told."""
    return int(texts[_ASKED]) if _ASKED in texts else None


def origin_text(origin: Origin) -> str:
    """`hit`, `partial; fetched=start/stop,start/stop`, `miss`, or `miss; reason=why` when nothing of it can be kept."""
    if origin.outcome == "partial":
        ranges = [f"{format_time(span.start_ns)}/{format_time(span.stop_ns)}" for span in origin.fetched]
        more = [f"+{len(ranges) - _MOST_RANGES}"] if len(ranges) > _MOST_RANGES else []
        return f"partial; fetched={','.join([*ranges[:_MOST_RANGES], *more])}"
    return f"miss; reason={origin.reason}" if origin.outcome == "bypass" else origin.outcome
