"""Following a job on the shell: what is shown, and when it gives up."""

import json
from typing import Any

import httpx
import pytest

from fluxgate_client.transport import Transport
from service.console.jobs import follow

WARNING = "No worker alive since 2026-11-27T18:20:00Z. Queued jobs wait. Start one: fluxgate worker."


def event(name: str, **data: Any) -> str:
    return f"event: {name}\nid: 1.0\ndata: {json.dumps(data)}\n\n"


def job(state: str) -> str:
    return event("job", kind="mirror", parameters={}, state=state, progress=None)


def followed(*events: str) -> str:
    answer = httpx.Response(200, text="".join(events))
    transport = httpx.MockTransport(lambda _: answer)
    with Transport("http://gateway.test", "key", http_transport=transport) as gateway:
        return follow(gateway, "019b78f1a2c04be11f2e")


def test_a_job_that_waits_for_a_worker_says_so_and_goes_on_when_one_comes(capsys: pytest.CaptureFixture[str]) -> None:
    state = followed(job("queued"), event("warning", message=WARNING, waited_s=10), job("succeeded"))
    assert (state, WARNING in capsys.readouterr().err) == ("succeeded", True)


def test_after_a_minute_without_a_worker_it_says_how_to_go_on_later(capsys: pytest.CaptureFixture[str]) -> None:
    """It used to wait for ever, without a word."""
    state = followed(job("queued"), event("warning", message=WARNING, waited_s=70), job("succeeded"))
    assert state == "queued"
    assert "follow it: fluxgate jobs watch 019b78f1a2c04be11f2e" in capsys.readouterr().err
