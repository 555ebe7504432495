"""How the lines of many series begin: measurement and tags, each distinct tag quoted once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from service.lineprotocol.names import Unwritable, quote_measurement, quote_tag

_TEXT = pa.large_string()


@dataclass(frozen=True)
class Prefixes:
    """`texts[i]` (large_string) is how the lines of series i begin, up to their first space; `sizes[i]` its bytes.

    `unwritable` says for some series why they cannot be written; their texts mean nothing.
    """

    texts: pa.Array
    sizes: npt.NDArray[np.int64]
    unwritable: dict[int, str]


def line_prefixes(measurement: str, tags: dict[str, pa.StringArray], count: int) -> Prefixes:
    """Prefixes of `count` series. `tags` holds for each key, sorted, the value of each series, null where it is absent."""
    unwritable: dict[int, str] = {}
    try:
        name = quote_measurement(measurement).decode()
    except Unwritable as reason:
        name, unwritable = "", dict.fromkeys(range(count), str(reason))
    parts = [pa.repeat(pa.scalar(name, _TEXT), count)]
    for key, values in tags.items():
        quoted, refused = _quoted(key, values)
        parts.append(quoted)
        unwritable = refused | unwritable
    texts = pc.binary_join_element_wise(*parts, pa.scalar("", _TEXT), null_handling="replace", null_replacement="")
    return Prefixes(texts, pc.binary_length(texts).to_numpy(), unwritable)


def _quoted(key: str, values: pa.StringArray) -> tuple[pa.Array, dict[int, str]]:
    """The text of each value, null where it is absent, and why some cannot be written."""
    codes = values.dictionary_encode()
    texts: list[str | None] = []
    reasons: dict[int, str] = {}
    for place, value in enumerate(codes.dictionary.to_pylist()):
        try:
            texts.append(f",{quote_tag(key, value).decode()}")
        except Unwritable as reason:
            texts.append(None)
            reasons[place] = str(reason)
    written = pa.array(texts, _TEXT).take(codes.indices)
    if not reasons:
        return written, {}
    places = codes.indices.fill_null(-1).to_numpy()
    return written, {int(series): reasons[int(places[series])] for series in np.flatnonzero(np.isin(places, list(reasons)))}
