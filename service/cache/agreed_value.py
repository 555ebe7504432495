"""A value of the cache on which all processes agree, such as the state of a bucket."""

from collections.abc import Callable
from typing import TypeVar

from service.cache.protocol import Cache

Value = TypeVar("Value")


def agreed_value(
    cache: Cache,
    key: str,
    read: Callable[[bytes], Value | None],
    new: Callable[[], bytes],
    ttl_s: float,
) -> Value | None:
    """What `read` makes of the value of `key`. None: the cache does not know it.

    A value that is absent, or spoilt so that `read` gives None, becomes `new()`: bytes that spoiled it once would bring
    back what was known under them. Of many that find no value at once, all take the one that came first.
    """
    value = cache.get(key)
    content = None if value is None else read(value)
    if content is None:
        cache.swap(key, value, new(), ttl_s)
        value = cache.get(key)
        content = None if value is None else read(value)
    return content
