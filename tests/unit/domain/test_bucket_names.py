"""Names under which buckets can be made: what InfluxDB takes, InfluxQL finds again and a URL can hold."""

import pytest

from service.domain.schema import LONGEST_BUCKET_NAME, Bucket, BucketSpec, wrong_name
from service.errors import InvalidParameter


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "at least one character"),
        ("x" * 1001, "at most 1000 characters, and this one has 1001"),
        ("\ud800", "no Unicode text"),
        *((f"a{control}b", "control character") for control in "\0\t\n\r\x1b\x7f\x85"),
        ("_monitoring", "underscore"),
        ('say "hi"', "double quote"),
        *(
            (name, "cannot be empty, . or ..")
            for name in (".", "..", "/", "/lead", "tr/", "a//b", "a/../b", "../a", "a/.", "./a")
        ),
        ("db/autogen", "InfluxQL would read the bucket 'db' for it"),
    ],
)
def test_such_a_name_is_refused_with_its_reason_and_advice(name: str, reason: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        BucketSpec(name)
    assert reason in refused.value.message
    assert refused.value.message.endswith("Nothing was made; take another name.")
    assert len(refused.value.message) < 400
    refused.value.message.encode()


@pytest.mark.parametrize(
    "name",
    [
        "a",
        " ",
        "a b",
        "a/b",
        "a/b/c",
        "...",
        ".a",
        "a.",
        "autogen",
        "a/autogen/b",
        "a_b",
        "naïve 🔌",
        "x" * LONGEST_BUCKET_NAME,
        "a'b",
    ],
)
def test_any_other_name_is_taken(name: str) -> None:
    assert wrong_name(name) is None
    assert BucketSpec(name).name == name


def test_a_description_is_unicode_text() -> None:
    with pytest.raises(InvalidParameter, match="description"):
        BucketSpec("a", "\udcff")


def test_a_message_shows_a_hundred_characters_of_a_name() -> None:
    with pytest.raises(InvalidParameter, match=f"named '_{'x' * 99}':"):
        BucketSpec("_" + "x" * 150)
    for spec in ({"description": "\udcff"}, {"shard_ns": 1}):
        with pytest.raises(InvalidParameter, match=f"bucket '{'x' * 100}' "):
            BucketSpec("x" * 150, **spec)  # type: ignore[arg-type]


def test_a_bucket_keeps_everything_and_leaves_the_shard_groups_to_the_store_unless_it_says_otherwise() -> None:
    assert BucketSpec("b") == BucketSpec("b", "", retention_ns=0, shard_ns=0)


def test_a_bucket_is_the_same_whatever_its_store_calls_it() -> None:
    assert Bucket("b", "", 0, 1, id="x") == Bucket("b", "", 0, 1, id="y") == Bucket("b", "", 0, 1)


HOUR_NS = 3_600_000_000_000


@pytest.mark.parametrize(
    ("shard_ns", "retention_ns", "reason"),
    [
        (HOUR_NS - 1_000_000_000, 0, "shard groups are 1h long or longer, in whole seconds"),
        (HOUR_NS + 1, 0, "shard groups are 1h long or longer, in whole seconds"),
        (2 * HOUR_NS, HOUR_NS, "shard groups of 7200 s are longer than the retention of 3600 s"),
    ],
)
def test_shard_groups_that_no_store_makes_are_refused(shard_ns: int, retention_ns: int, reason: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        BucketSpec("b", "", retention_ns, shard_ns)
    assert refused.value.message.endswith(f"The bucket 'b' cannot be made: {reason}.")
    assert refused.value.parameter == "shard_ns"


def test_the_shortest_shard_groups_and_those_of_a_whole_retention_are_taken() -> None:
    assert BucketSpec("b", "", 0, HOUR_NS).shard_ns == HOUR_NS
    assert BucketSpec("b", "", 2 * HOUR_NS, 2 * HOUR_NS).shard_ns == 2 * HOUR_NS


def test_a_bucket_keeps_everything_and_chooses_its_shards_unless_it_is_told_otherwise() -> None:
    assert BucketSpec("b") == BucketSpec("b", description="", retention_ns=0, shard_ns=0)
