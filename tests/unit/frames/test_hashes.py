"""Hashes of names, values and points. Digests made of them stand in manifests and in the state database, so they
never change: each is held against a second way to compute it, in Python's integers, and against known values."""

import hashlib
import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.frames.hashes import LANES, Words, add_lanes, mix, point_hashes, text_hash, time_hashes, value_words

WORDS = st.integers(0, 2**64 - 1)
SMALLEST, LARGEST = -(2**63), 2**63 - 1


def words(*numbers: int) -> Words:
    return np.array([number % 2**64 for number in numbers], np.uint64)


def mixed(word: int) -> int:
    """SplitMix64's finalizer, as its paper has it."""
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB % 2**64
    return word ^ (word >> 31)


def test_mixing_gives_the_numbers_of_splitmix64() -> None:
    """The first three of the generator that begins with 0: the same in Java, Go and C."""
    weyl = 0x9E3779B97F4A7C15
    assert mix(words(weyl, 2 * weyl, 3 * weyl)).tolist() == [
        0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F,
    ]  # fmt: skip


@given(WORDS)
def test_mixing_any_word_is_that_of_the_paper(word: int) -> None:
    assert mix(words(word)).tolist() == [mixed(word)]


def test_the_two_lanes_have_the_constants_that_digests_were_made_with() -> None:
    assert LANES == (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03)


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("time_ns", [0, 1, -1, SMALLEST, LARGEST, 1_700_000_000_000_000_000])
def test_a_time_is_mixed_with_its_lane(lane: int, time_ns: int) -> None:
    assert time_hashes(words(time_ns), lane).tolist() == [mixed((time_ns + lane) % 2**64)]


@pytest.mark.parametrize("lane", [*LANES, 2])
@given(hashed_time=WORDS, value=WORDS)
def test_a_point_is_mixed_of_its_time_and_value(lane: int, hashed_time: int, value: int) -> None:
    """The factor is odd, so that every bit of a value counts."""
    factor = lane + 1 if lane % 2 == 0 else lane
    expected = mixed(hashed_time ^ (value * factor % 2**64))
    assert point_hashes(words(hashed_time), words(value), lane).tolist() == [expected]


@pytest.mark.parametrize("text", ["", "a", "Ströme/🔥", "x" * 1000])
def test_the_lanes_of_a_text_are_the_halves_of_its_blake2b(text: str) -> None:
    first, second = struct.unpack("<QQ", hashlib.blake2b(text.encode(), digest_size=16).digest())
    assert text_hash(text) == (first, second)


def test_the_hash_of_a_known_text() -> None:
    assert hashlib.blake2b(b"a", digest_size=16).hexdigest() == "27c35e6e9373877f29e562464e46497e"
    assert text_hash("a") == (0x7F8773936E5EC327, 0x7E49464E4662E529)


def test_lanes_are_added_each_by_itself_and_begin_again_at_2_to_the_64() -> None:
    assert add_lanes((1, 20), (300, 4000)) == (301, 4020)
    assert add_lanes((2**64 - 1, 5), (1, 6)) == (0, 11)
    assert add_lanes((5, 2**64 - 1), (6, 2)) == (11, 1)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([True, False, True]), [1, 0, 1]),
        (pa.array([0, 1, -1, SMALLEST], pa.int64()), [0, 1, 2**64 - 1, 2**63]),
        (pa.array([0, 2**64 - 1], pa.uint64()), [0, 2**64 - 1]),
        (pa.array([0.0, -0.0, 1.0]), [0, 2**63, 0x3FF0000000000000]),
        (pa.array([], pa.string()), []),
    ],
    ids=["booleans", "integers", "unsigned", "floats", "no text"],
)
def test_the_words_of_numbers_are_their_bits(column: pa.Array, expected: list[int]) -> None:
    assert value_words(column).tolist() == expected


def test_the_words_of_texts_are_hashes_of_their_bytes() -> None:
    """Eight bytes of a hash of that length, not the first half of a longer one."""
    texts = ["b", "a", "", "b", "ä\0"]
    expected = [int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") for text in texts]
    assert value_words(pa.array(texts)).tolist() == expected
