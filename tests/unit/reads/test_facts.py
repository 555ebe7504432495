"""Facts go through the cache as texts and come back; long lists of names are counted and cut."""

from hypothesis import given
from hypothesis import strategies as st

from service.api.name_encoding import header_names
from service.domain.timerange import TimeRange
from service.domain.unknown_names import FilterKind, UnknownName
from service.reads.facts import LatestFacts, NameList, ReadFacts

NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=300)
PAIRS = st.lists(st.tuples(NAMES, NAMES), max_size=60)


@given(PAIRS, st.lists(NAMES, max_size=5))
def test_facts_come_back_from_their_texts_as_they_were(pairs: list[tuple[str, str]], buckets: list[str]) -> None:
    unknown = NameList.of_unknown(UnknownName(FilterKind.VALUE, name, (name,), "key") for name in buckets)
    read = ReadFacts(TimeRange(-5, 7), "influx", NameList.of(pairs), unknown, "none")
    assert ReadFacts.from_texts(read.texts()) == read
    latest = LatestFacts("influx", NameList.of(pairs), NameList.of((bucket,) for bucket in buckets))
    assert LatestFacts.from_texts(latest.texts()) == latest


@given(PAIRS)
def test_the_names_that_are_kept_fill_the_header_that_shows_them(pairs: list[tuple[str, str]]) -> None:
    names = NameList.of(pairs)
    assert names.count == len(pairs)
    kept = [(measurement, field) for measurement, field in names.names]
    assert header_names(kept) == header_names(pairs)


def test_of_a_hundred_thousand_names_a_thousand_are_kept_and_all_are_counted() -> None:
    names = NameList.of((("a", "b"),) * 100_000)
    assert (len(names.names), names.count) == (1001, 100_000)
    assert header_names([(measurement, field) for measurement, field in names.names]).endswith(",...")
