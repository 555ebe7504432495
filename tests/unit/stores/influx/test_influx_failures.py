"""Which failures of InfluxDB are worth another try, and which never will be anything else."""

import pytest

from service.errors import FluxgateError, LineEndLost, QueryRefused, StoreFailed, UnreadableText
from service.stores.influx.failures import query_failure, unreadable_rows
from service.stores.influx.influxql import can_quote, only
from service.stores.influx.results import results_of

REASONS = [
    "failed to parse query: found EOF, expected identifier at line 1, char 9",
    "error parsing query: invalid regexp",
    "compilation failed: loc 1:2-1:3: invalid statement",
]


@pytest.mark.parametrize("reason", REASONS)
def test_a_question_that_cannot_be_read_is_not_asked_again(reason: str) -> None:
    """A NUL in a name was asked for every few minutes without end."""
    failure = query_failure(reason, 400)
    assert (type(failure), failure.retryable) == (QueryRefused, False)


def test_an_error_that_nobody_knows_is_worth_another_try() -> None:
    assert query_failure("runtime error: panic", 500).retryable is True
    assert type(query_failure("runtime error: panic", 500)) is StoreFailed


@pytest.mark.parametrize("failure", [LineEndLost(), UnreadableText("Not UTF-8.")])
def test_what_lies_in_the_data_stays_so(failure: FluxgateError) -> None:
    assert failure.retryable is False


def test_bytes_that_are_no_utf_8_are_an_error_of_their_own() -> None:
    with pytest.raises(UnicodeDecodeError) as broken:
        b"\xfc".decode()
    assert type(unreadable_rows(broken.value)) is UnreadableText


def test_a_name_keeps_its_bytes_and_is_never_said_as_text() -> None:
    body = b"\x81\xa7results\x91\x82\xacstatement_id\x00\xa6series\x91\x81\xa4name\xa2m\xfc"
    (result,) = results_of(body)
    name = result["series"][0]["name"]
    assert (name.encode("utf-8", "surrogateescape"), can_quote(name)) == (b"m\xfc", False)
    assert only(name) == "/^m\\x{fffd}$/"
