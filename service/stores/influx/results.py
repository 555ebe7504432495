"""Small answers of InfluxQL, in MessagePack: the only form that keeps the bytes of a name.

InfluxDB stores any bytes as a name. Its JSON gives U+FFFD for what is no UTF-8, so that two names look alike and one of
them is asked for in vain; MessagePack has the bytes themselves (seen on 2.9.1).
"""

from typing import Any

import msgpack

from service.domain.series import Tags
from service.domain.unreadable import shown_bytes
from service.errors import UnreadableText
from service.stores.influx.failures import not_an_answer

ACCEPT = "application/x-msgpack"


def results_of(body: bytes) -> list[dict[str, Any]]:
    """The results of the statements. In a text that is no UTF-8, each such byte is a surrogate (PEP 383)."""
    unpacker = msgpack.Unpacker(strict_map_key=False, unicode_errors="surrogateescape", max_buffer_size=len(body) + 1)
    unpacker.feed(body)
    try:
        results = [result for message in unpacker for result in message["results"]]
    except (ValueError, KeyError, TypeError, msgpack.UnpackException):
        raise not_an_answer("/query", "it answers something that is no MessagePack") from None
    if all(isinstance(result, dict) and isinstance(result.get("statement_id"), int) for result in results):
        return results
    raise not_an_answer("/query", "it answers results without a number")


def tags_of(series: dict[str, Any]) -> Tags:
    """The tags of a series; an empty text stands for a tag that is absent. Raises UnreadableText."""
    present = ((key, text) for key, text in (series.get("tags") or {}).items() if text)
    return tuple(sorted((readable(key), readable(text)) for key, text in present))


def readable(text: str) -> str:
    """`text`, when it is Unicode. Raises UnreadableText."""
    if is_readable(text):
        return text
    raise UnreadableText(f"The text {shown_bytes(text)} in InfluxDB is not UTF-8, and no answer can carry it.")


def is_readable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
