"""Logs: readable or JSON, and never a secret in them."""

import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

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
    structlog.get_logger("t").info("sent", url=f"redis://:{SECRET}@host", header=f"Authorization: Bearer {KEY}", token=f"Token {SECRET}")
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
