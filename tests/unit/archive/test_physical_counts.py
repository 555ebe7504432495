"""The counts beside a physical backup are read back as they were written, or are damaged."""

import json

import pytest

from service.archive.physical_counts import BucketCounts, read_counts, written_counts
from service.errors import BackupDamaged

COUNTS = {"plant/Power": BucketCounts(86_400, {-86_400: 3, 0: 4}), "plant/empty": BucketCounts(1, {})}


def test_counts_are_read_back() -> None:
    assert read_counts(written_counts(COUNTS), "counts.json") == COUNTS
    assert COUNTS["plant/Power"].total == 7


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"-86400": 3', '"-86400": -3'),
        ('"-86400": 3', '"x": 3'),
        ('"format_version": 1', '"format_version": 2'),
        ("{", ""),
    ],
)
def test_counts_that_make_no_sense_are_damage(old: str, new: str) -> None:
    content = written_counts(COUNTS).decode().replace(old, new, 1).encode()
    with pytest.raises(BackupDamaged, match=r"counts\.json"):
        read_counts(content, "x/counts.json")


def test_the_file_says_what_it_is() -> None:
    assert "at least these" in json.loads(written_counts(COUNTS))["note"]
