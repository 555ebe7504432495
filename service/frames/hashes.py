"""Hashes of names, values and points. A digest is the sum of such hashes, in two lanes of 64 bits each."""

import hashlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Words = npt.NDArray[np.uint64]
Lanes = tuple[int, int]
MASK = (1 << 64) - 1
LANES = (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03)
"""One constant for each lane. Two lanes make 128 bits, so different data do not get equal digests by chance."""


@lru_cache(maxsize=65_536)
def text_hash(text: str) -> Lanes:
    """The hash of a name in both lanes. Hashes are kept, because the same names come with every frame."""
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def add_lanes(left: Lanes, right: Lanes) -> Lanes:
    """The sum of each lane, modulo 2^64."""
    return (left[0] + right[0]) & MASK, (left[1] + right[1]) & MASK


def mix(words: Words) -> Words:
    """The finalizer of SplitMix64 (Steele, Lea, Flood 2014): each input bit reaches each output bit."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Words = words ^ (words >> np.uint64(31))
    return mixed


def time_hashes(times: Words, lane: int) -> Words:
    """The hash of each time. `lane` is one of `LANES`."""
    return mix(times + np.uint64(lane))


def point_hashes(hashed_times: Words, values: Words, lane: int) -> Words:
    """The hash of each point: of its hashed time (`time_hashes`) and the bits of its value (`value_words`)."""
    return mix(hashed_times ^ (values * np.uint64(lane | 1)))


def value_words(column: pa.Array) -> Words:
    """64 bits for each value: the bits of a number, 0 or 1 of a boolean, a hash of the UTF-8 bytes of a text."""
    if pa.types.is_string(column.type):
        distinct = column.dictionary_encode()
        hashes = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in distinct.dictionary.to_pylist()]
        words: Words = np.frombuffer(b"".join(hashes), np.uint64)[distinct.indices.to_numpy()]
        return words
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8()).cast(pa.uint64())
    bits: Words = column.to_numpy(zero_copy_only=False).view(np.uint64)
    return bits
