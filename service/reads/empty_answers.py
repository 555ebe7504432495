"""Why an answer has no rows: the newest point is older, or a filter names a value that no series has.

The store is asked for it only when a read ends without a row, so that other reads cost nothing more.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from service.domain.selection import Selection
from service.domain.timerange import format_time
from service.domain.unknown_names import FilterKind, UnknownName, unknown
from service.errors import FluxgateError
from service.frames.frame import Block
from service.reads.facts import ReadFacts
from service.stores.protocol import Store

_MOST_TAGS = 10
NO_POINT, NOT_TOLD = "none", "unknown"


def explained(
    blocks: Iterable[Block], store: Store, selection: Selection, facts: ReadFacts, texts: dict[str, str]
) -> Iterator[Block]:
    """The blocks that have rows. When none has, `texts` becomes those of `facts` with the reason, before this ends."""
    is_empty = True
    for block in blocks:
        if any(frame.num_rows for frame in block):
            is_empty = False
            yield block
    if is_empty:
        unknown_keys = {name for kind, _, name, *_ in facts.unknown.names if kind == FilterKind.TAG}
        values = _unknown_values(store, selection, unknown_keys)
        texts.update(replace(facts, unknown=facts.unknown.and_of(values), newest=_newest(store, selection)).texts())


def _newest(store: Store, selection: Selection) -> str:
    """The time of the bucket's newest point. The read has worked, so a store that cannot tell does not break it."""
    try:
        newest_ns = store.last_point(selection.bucket)
    except FluxgateError:
        return NOT_TOLD
    return NO_POINT if newest_ns is None else format_time(newest_ns)


def _unknown_values(store: Store, selection: Selection, unknown_keys: set[str]) -> list[UnknownName]:
    """Values of tags that no series has, for the first ten keys."""
    names: list[UnknownName] = []
    for key, values in [pair for pair in selection.tags if pair[0] not in unknown_keys][:_MOST_TAGS]:
        try:
            known = store.tag_values(selection.bucket, key, values)
        except FluxgateError:
            known = None
        if known is not None:
            names += unknown(FilterKind.VALUE, filter(None, values), known, key)
    return names
