"""What is said of a bucket after its files came back, and which buckets a restore takes."""

import pytest

from service.archive.physical_counts import BucketCounts
from service.archive.physical_manifest import FileCompression, PhysicalBucket, PhysicalFile, PhysicalManifest
from service.errors import InvalidParameter
from service.jobs.restore.physical_comparison import CountComparison, CountState, sentence, worst
from service.jobs.restore.physical_plan import planned_buckets

BEFORE = BucketCounts(10, {0: 5, 10: 6})


@pytest.mark.parametrize(
    ("counted", "state", "lacking"),
    [
        (BucketCounts(10, {0: 5, 10: 6}), CountState.EQUAL, []),
        (BucketCounts(10, {0: 5, 10: 6, 20: 1}), CountState.MORE, []),
        (BucketCounts(10, {0: 9, 10: 5}), CountState.DIFFERENT, [(10, 6, 5)]),
        (BucketCounts(10, {}), CountState.DIFFERENT, [(0, 5, 0), (10, 6, 0)]),
        (BucketCounts(20, {0: 11}), CountState.EQUAL, []),
        (BucketCounts(20, {0: 10}), CountState.DIFFERENT, [(0, 11, 10)]),
        (None, CountState.NOT_COMPARED, []),
    ],
)
def test_a_slice_with_fewer_values_is_a_difference_whatever_the_others_have(
    counted: BucketCounts | None,
    state: CountState,
    lacking: list[tuple[int, int, int]],
) -> None:
    comparison = CountComparison(BEFORE, counted)
    assert (comparison.state, comparison.lacking()) == (state, lacking)
    level, _ = sentence("b", comparison.json())
    assert level == {"different": "error", "not_compared": "warning"}.get(state, "info")


def test_the_worst_bucket_names_the_restore() -> None:
    assert worst(set()) == worst({"equal"}) == "equal"
    assert worst({"equal", "more"}) == "more"
    assert worst({"more", "not_compared"}) == "not_compared"
    assert worst({"more", "not_compared", "different"}) == "different"


def backup_of(*names: tuple[str, str]) -> PhysicalManifest:
    kv = PhysicalFile("x.bolt.gz", 1, FileCompression.GZIP)
    return PhysicalManifest(kv, None, tuple(PhysicalBucket(org, name, "id", (), {}) for org, name in names))


def planned(manifest: PhysicalManifest, names: dict[str, str] | None) -> dict[str, str]:
    return {
        f"{bucket.source.organization}/{bucket.source.name}": bucket.target
        for bucket in planned_buckets(manifest, names, "own")
    }


def test_all_buckets_of_the_own_organization_are_taken_but_no_system_ones() -> None:
    manifest = backup_of(("own", "a"), ("own", "_tasks"), ("other", "a"), ("other", "b"))
    assert planned(manifest, None) == {"own/a": "a"}
    assert planned(backup_of(("other", "b")), None) == {"other/b": "b"}


def test_a_bucket_is_named_with_its_organization_where_the_name_alone_says_too_little() -> None:
    manifest = backup_of(("one", "a"), ("two", "a"), ("own", "b"))
    assert planned(manifest, {"two/a": "x", "b": "y"}) == {"two/a": "x", "own/b": "y"}
    with pytest.raises(InvalidParameter, match="one/a, two/a"):
        planned(manifest, {"a": "x"})


def test_names_that_do_not_fit_are_refused() -> None:
    manifest = backup_of(("own", "a"), ("own", "b"), ("own", "_tasks"))
    with pytest.raises(InvalidParameter, match="both be restored as 'x'"):
        planned(manifest, {"a": "x", "b": "x"})
    with pytest.raises(InvalidParameter, match="has no bucket '_tasks'"):
        planned(manifest, {"_tasks": "x"})
    with pytest.raises(InvalidParameter, match="holds no bucket"):
        planned(backup_of(("own", "_tasks")), None)
