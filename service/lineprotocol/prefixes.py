"""Writes the beginning of the lines of many series: measurement and tags. Each distinct tag is quoted once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from service.lineprotocol.names import Unwritable, quote_measurement, quote_tag

_TEXT = pa.large_string()


@dataclass(frozen=True)
class Prefixes:
    """`texts[i]` (large_string) is the beginning of the lines of series i up to the first space, `sizes[i]` its bytes.

    `unwritable` holds the series that line protocol cannot hold, with the reason; their texts have no meaning.
    """

    texts: pa.Array
    sizes: npt.NDArray[np.int64]
    unwritable: dict[int, str]


def line_prefixes(measurement: str, tags: dict[str, pa.StringArray], count: int) -> Prefixes:
    """The prefixes of `count` series. `tags` holds, by sorted key, the value of each series, null if absent."""
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
    """The text of each tag, null where it is absent, and the reason by series where it cannot be written."""
    codes = values.dictionary_encode()
    texts: list[str | None] = []
    reasons: dict[int, str] = {}
    for code, value in enumerate(codes.dictionary.to_pylist()):
        try:
            texts.append(f",{quote_tag(key, value).decode()}")
        except Unwritable as reason:
            texts.append(None)
            reasons[code] = str(reason)
    quoted = pa.array(texts, _TEXT).take(codes.indices)
    if not reasons:
        return quoted, {}
    code_of_series = codes.indices.fill_null(-1).to_numpy()
    refused = np.flatnonzero(np.isin(code_of_series, list(reasons)))
    return quoted, {int(series): reasons[int(code_of_series[series])] for series in refused}
