"""Logs: readable or JSON, and never a secret in them."""

import errno
import io
import json
import logging
import sys
from collections.abc import Callable, Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from service import logs

SECRET = "hunter2-the-secret"
KEY = "fg_05b34564_" + "ab" * 32 + "_a2571b7d"


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield lambda: capsys.readouterr().err
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_and_keys_never_appear(printed: Callable[[], str], as_json: bool) -> None:
    logs.configure("info", as_json, [SECRET])
    structlog.get_logger("t").info(
        "sent", url=f"redis://:{SECRET}@host", header=f"Authorization: Bearer {KEY}", token=f"Token {SECRET}"
    )
    logging.getLogger("other").warning("plain %s and %s", SECRET, KEY)
    try:
        raise ValueError(f"with {SECRET}")
    except ValueError:
        structlog.get_logger("t").exception("failed")
    text = printed()
    assert "sent" in text and "plain" in text and "failed" in text
    assert SECRET not in text and KEY not in text and "ab" * 32 not in text


def test_json_is_one_object_a_line(printed: Callable[[], str]) -> None:
    logs.configure("info", True)
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger("t").info("one", n=1)
    event = json.loads(printed())
    assert (event["event"], event["n"], event["level"], event["request_id"]) == ("one", 1, "info", "r1")


def test_what_is_less_severe_is_left_out(printed: Callable[[], str]) -> None:
    logs.configure("warning", False)
    structlog.get_logger("t").info("quiet")
    structlog.get_logger("t").warning("loud")
    text = printed()
    assert "quiet" not in text and "loud" in text


class Unwritable(io.StringIO):
    """Standard error on a full disk, or behind a pipe that nobody reads any more."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        BrokenPipeError(errno.EPIPE, "Broken pipe"),
        ValueError("I/O operation on closed file"),
    ],
)
def test_nothing_fails_for_a_log_that_cannot_be_written(
    printed: Callable[[], str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    logs.configure("info", True)
    with monkeypatch.context() as broken:
        broken.setattr(sys, "stderr", Unwritable(error))
        structlog.get_logger("t").warning("lost")
        logging.getLogger("other").warning("lost")
    structlog.get_logger("t").warning("written")
    logging.getLogger("other").warning("written too")
    assert [json.loads(line)["event"] for line in printed().splitlines()] == ["written", "written too"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("X-API-Key: plain0123456789", "X-API-Key: [hidden]"),
        ("{'x-api-key': 'plain0123456789', 'n': 1}", "{'x-api-key': '[hidden]', 'n': 1}"),
        ("Authorization: Token plain0123456789==", "Authorization: [hidden]"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: [hidden]"),
        ("got Bearer plain0123456789, sorry", "got Bearer [hidden], sorry"),
        ("GET /x?token=plain0123&n=1", "GET /x?token=[hidden]"),
        ("redis://user:plain0123@host:6379/0", "redis://user:[hidden]@host:6379/0"),
        ("Token plain0123456789abcdef==", "Token [hidden]"),
        ("the token is expired, http://host:8086/path@x", "the token is expired, http://host:8086/path@x"),
    ],
)
def test_what_looks_like_a_credential_is_hidden_and_nothing_else(
    printed: Callable[[], str], text: str, shown: str
) -> None:
    logs.configure("info", True)
    structlog.get_logger("t").info(text)
    assert json.loads(printed())["event"] == shown


def test_secrets_inside_mappings_and_lists_are_hidden_too(printed: Callable[[], str]) -> None:
    logs.configure("info", True, [SECRET])
    headers = {
        b"X-API-Key": b"plain",
        "authorization": "Basic x",
        "accept": "text/csv",
        "deep": [{"password": "p"}, f"a {SECRET}", 5, None, True],
    }
    structlog.get_logger("t").info("asked", headers=headers, pair=("n", SECRET), api_key="plain")
    event = json.loads(printed())
    assert event["headers"] == {
        "X-API-Key": "[hidden]", "authorization": "[hidden]", "accept": "text/csv",
        "deep": [{"password": "[hidden]"}, "a [hidden]", 5, None, True],
    }  # fmt: skip
    assert (event["pair"], event["api_key"]) == (["n", "[hidden]"], "[hidden]")


def test_the_servers_own_lines_come_the_same_way_without_its_access_log(printed: Callable[[], str]) -> None:
    logs.configure("info", True, [SECRET])
    logging.getLogger("uvicorn.error").info("Started %s", SECRET)
    logging.getLogger("uvicorn.access").info("GET /buckets")
    (line,) = printed().splitlines()
    assert json.loads(line)["event"] == "Started [hidden]"


@pytest.mark.parametrize("as_json", [True, False])
def test_what_a_caller_names_moves_no_cursor_and_breaks_no_line(printed: Callable[[], str], as_json: bool) -> None:
    """A path could set a terminal's title, or forge a line."""
    logs.configure("info", as_json)
    structlog.get_logger("t").info("request", path="/\x1b[31mred\x1b]0;title\x07\x0bforged\x85next\u2028line")
    text = printed().rstrip("\n")
    assert text.isprintable()
    assert "forged" in text


@given(
    before=st.text(max_size=8),
    credential=st.sampled_from(
        [
            KEY,
            "X-API-Key: plain0123456789",
            "api_key=plain0123456789",
            "APIKEY: plain0123456789",
            "proxy-authorization: Basic plain0123456789",
            "BEARER plain0123456789",
            "token=plain0123456789",
            "Token plain0123456789abcdef",
            "redis://user:plain0123456789@host",
        ]
    ),
)
def test_a_credential_is_hidden_wherever_it_stands(before: str, credential: str) -> None:
    shown = logs.redacted(f"{before} {credential}")
    assert "plain0123456789" not in shown and "ab" * 32 not in shown
