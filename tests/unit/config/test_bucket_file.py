"""A file of buckets is read whole or refused, with the line or the member named and what to write instead."""

from pathlib import Path

import pytest

from service.config.bucket_file import parse_bucket_file, read_bucket_file
from service.domain.bucket_specs import differences
from service.domain.schema import Bucket, BucketSpec
from service.errors import ConfigurationError

DAY_NS = 86_400 * 10**9


def refusal(text: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        parse_bucket_file(text, "buckets.json")
    return refused.value.message


def test_a_list_of_buckets_is_read_in_its_order() -> None:
    text = """[
        {"name": "Lab 1", "description": "Bench tests", "retention": "30d"},
        {"name": "Wetter 🌦", "retention": "inf"}, {"name": "b", "retention": "0"},
        {"name": "c", "retention": 0}, {"name": "d", "retention": null}, {"name": "e"}
    ]"""
    assert parse_bucket_file(text, "x") == [
        BucketSpec("Lab 1", "Bench tests", 30 * DAY_NS),
        *(BucketSpec(name, "", 0) for name in ("Wetter 🌦", "b", "c", "d", "e")),
    ]
    assert parse_bucket_file('{"name": "alone"}', "x") == [BucketSpec("alone")]
    assert parse_bucket_file("[]", "x") == []


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "buckets.json"
    file.write_bytes(b'\xef\xbb\xbf[{"name": "Lab"}]')
    assert read_bucket_file(file) == [BucketSpec("Lab")]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[\n  {"name": "a"},\n]', "buckets.json, line 3, column 1: a comma stands before ]."),
        ('[{"name": "a",}]', "buckets.json, line 1, column 15: a comma stands before }."),
        ('[\n// labs\n{"name": "a"}]', "buckets.json, line 2, column 1: JSON has no comments."),
        ("[{'name': 'a'}]", "line 1, column 3: JSON has texts in double quotes."),
        ("", "the file is empty. Write [{"),
        ('[{"name": "a"}', "line 1, column 15: this is no JSON (Expecting ',' delimiter)."),
        ('"a"', "holds no list of buckets. Write [{"),
        ('["a"]', "bucket 1 is no object"),
        ('[{"name": "a"}, {"nam": "b"}]', "bucket 2: there is no member 'nam'. There are: name, description, "),
        ('[{"description": "b"}]', "bucket 1: name is missing."),
        ('[{"name": 7}]', "bucket 1: name is no text."),
        ('[{"name": "a", "description": 7}]', "bucket 1 ('a'): description is no text."),
        ('[{"name": "a", "retention": 30}]', "bucket 1 ('a'): retention=30 is not a text such as 30d"),
        ('[{"name": "a", "retention": true}]', "retention=true is not a text"),
        ('[{"name": "a", "retention": "30days"}]', "retention='30days' is not a duration. Did you mean 30d?"),
        ('[{"name": "_a"}]', "bucket 1 ('_a'): No bucket can be named '_a'"),
        ('[{"name": "a", "name": "b"}]', "buckets.json: the member 'name' of the bucket 'b' stands twice."),
        ('[{"name": "a"}, {"name": "b"}, {"name": "a"}]', "the buckets 1 and 3 have the same name, 'a'."),
        ("[" * 100_000, "nested too deep"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, sentence: str) -> None:
    assert sentence in refusal(text)


def test_bytes_that_are_no_utf8_are_named_by_their_line(tmp_path: Path) -> None:
    file = tmp_path / "buckets.json"
    file.write_bytes('[\n{"name": "Prüfstand"}]'.encode("latin-1"))
    with pytest.raises(ConfigurationError, match="line 2: this is no UTF-8"):
        read_bucket_file(file)


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_bucket_file(tmp_path / "none.json")
    (tmp_path / "large.json").write_text(f'[{{"name": "a"}}{" " * 1_100_000}]')
    with pytest.raises(ConfigurationError, match="more than 1024 kB"):
        read_bucket_file(tmp_path / "large.json")


def test_differences_are_said_in_the_words_of_the_file() -> None:
    wanted = BucketSpec("Lab", "Bench", 7 * DAY_NS)
    assert differences(wanted, Bucket("Lab", "Bench", 7 * DAY_NS, 0)) == []
    assert differences(wanted, Bucket("Lab", "old", 0, 0)) == [
        "retention is for ever, the file says 1w",
        "description is 'old', the file says 'Bench'",
    ]
