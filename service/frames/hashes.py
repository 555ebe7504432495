"""The hashes that digests are sums of: of names, of values by their bits, and of points. Sums are modulo 2^64, in two lanes."""

import hashlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Words = npt.NDArray[np.uint64]
Lanes = tuple[int, int]
MASK = (1 << 64) - 1
LANES = (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03)
"""Two independent mixings make 128 bits, so that chance never makes different data look equal."""


def text_lanes(text: str) -> Lanes:
    hashed = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(hashed[:8], "little"), int.from_bytes(hashed[8:], "little")


@lru_cache(maxsize=65_536)
def text_hash(text: str) -> Lanes:
    """`text_lanes`, remembered: names come again with every frame."""
    return text_lanes(text)


def added(left: Lanes, right: Lanes) -> Lanes:
    return (left[0] + right[0]) & MASK, (left[1] + right[1]) & MASK


def mix(words: Words) -> Words:
    """The finalizer of SplitMix64 (Steele, Lea, Flood 2014): each input bit reaches each output bit."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Words = words ^ (words >> np.uint64(31))
    return mixed


def stamp_hashes(times: Words, lane: int) -> Words:
    """For each time its hash; `lane` is one of LANES."""
    return mix(times + np.uint64(lane))


def point_hashes(stamps: Words, values: Words, lane: int) -> Words:
    """For each point a hash of its time, whose hash is in `stamps`, and the bits of its value."""
    return mix(stamps ^ (values * np.uint64(lane | 1)))


def value_words(column: pa.Array) -> Words:
    """64 bits for each value: its own bits, or for text a hash of its UTF-8 bytes."""
    if pa.types.is_string(column.type):
        distinct = column.dictionary_encode()
        hashes = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in distinct.dictionary.to_pylist()]
        words: Words = np.frombuffer(b"".join(hashes), np.uint64)[distinct.indices.to_numpy()]
        return words
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8()).cast(pa.uint64())
    bits: Words = column.to_numpy(zero_copy_only=False).view(np.uint64)
    return bits
