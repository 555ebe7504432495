"""Pings of backups: one at the start, exactly one at the end, over real HTTP; what fails changes nothing."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from service.domain.job import JobState
from service.jobs.backup.pings import PingAddresses, Pings
from service.jobs.kind import JobEnd


class Switch:
    """A dead man's switch that keeps what it was told. `statuses`: what it answers, the last one for ever."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.statuses = [200]
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.calls.append((self.path, body))
                status = outer.statuses.pop(0) if len(outer.statuses) > 1 else outer.statuses[0]
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing is printed."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def pings(self, slept: list[float]) -> Pings:
        base = f"http://127.0.0.1:{self.server.server_port}"
        addresses = PingAddresses(f"{base}/start", f"{base}/success", f"{base}/fail")
        return Pings(
            addresses, lambda: httpx.Client(follow_redirects=False), slept.append, lambda _: ["info Power: 2 values"]
        )


@pytest.fixture
def switch() -> Iterator[Switch]:
    opened = Switch()
    yield opened
    opened.server.shutdown()
    opened.server.server_close()


COMPLETE = JobEnd("1a", JobState.SUCCEEDED, {"backup": "00000001-20240101T000000Z", "state": "complete"}, 12.4)
PARTIAL = JobEnd("1a", JobState.SUCCEEDED, {"backup": "00000001-20240101T000000Z", "state": "partial"}, 1)
FAILED = JobEnd("1a", JobState.FAILED, {"code": "archive_unavailable", "message": "The disk is full."}, 1)
CANCELLED = JobEnd("1a", JobState.CANCELLED, None, 1)


def test_a_complete_backup_tells_its_id_its_duration_and_the_end_of_its_log(switch: Switch) -> None:
    switch.pings([]).ended(COMPLETE)
    body = "backup 00000001-20240101T000000Z complete\njob 1a, 12 s\ninfo Power: 2 values"
    assert switch.calls == [("/success", body)]


@pytest.mark.parametrize(
    ("end", "words"), [(PARTIAL, "partial"), (FAILED, "The disk is full."), (CANCELLED, "cancelled")]
)
def test_everything_but_a_complete_backup_is_a_failure(switch: Switch, end: JobEnd, words: str) -> None:
    switch.pings([]).ended(end)
    [(path, body)] = switch.calls
    assert path == "/fail"
    assert words in body


def test_the_start_is_told(switch: Switch) -> None:
    switch.pings([]).started()
    assert switch.calls == [("/start", "")]


def test_a_ping_that_is_not_taken_is_sent_three_times_with_pauses(switch: Switch) -> None:
    switch.statuses = [500]
    slept: list[float] = []
    switch.pings(slept).ended(COMPLETE)
    assert (len(switch.calls), slept) == (3, [1.0, 2.0])


def test_a_redirect_is_not_followed(switch: Switch) -> None:
    switch.statuses = [302, 200]
    switch.pings([]).started()
    assert [path for path, _ in switch.calls] == ["/start", "/start"]


def test_an_address_that_nobody_answers_changes_nothing() -> None:
    addresses = PingAddresses("http://127.0.0.1:9/start")
    Pings(addresses, httpx.Client, lambda _: None, lambda _: []).started()


def test_an_address_is_a_secret() -> None:
    assert "uuid" not in repr(PingAddresses("https://hc.example/uuid"))
