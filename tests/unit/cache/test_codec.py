"""An answer in one value: what is packed unpacks, and nothing else does."""

from hypothesis import given
from hypothesis import strategies as st

from service.cache.codec import pack, unpack


@given(st.dictionaries(st.text(), st.text()), st.lists(st.binary()))
def test_what_is_packed_unpacks(headers: dict[str, str], chunks: list[bytes]) -> None:
    stored = unpack(pack(12.5, headers, chunks))
    assert stored is not None
    assert (stored.made_at, stored.headers, bytes(stored.body)) == (12.5, headers, b"".join(chunks))


@given(st.binary(max_size=60))
def test_foreign_bytes_are_no_answer(value: bytes) -> None:
    assert unpack(value) is None


@given(st.integers(0, 80))
def test_a_cut_answer_is_none(cut: int) -> None:
    whole = pack(1.0, {"a": "b"}, [b"x" * 40])
    assert unpack(whole[: min(cut, len(whole) - 1)]) is None
    assert unpack(whole + b"more") is None
