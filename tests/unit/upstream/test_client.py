"""The HTTP client: it connects only where it may, ends in time whatever the server does, and reads a bounded answer."""

import itertools
import socket
import time
from collections.abc import Callable, Sequence

import pytest

from service.domain.addresses import AddressPolicy
from service.domain.answer_rules import UNPARSED
from service.domain.job import Cancelled
from service.errors import AddressRefused, UpstreamStopped
from service.sockets import Connector
from service.upstream.client import MOST_ANSWER_BYTES, HttpClient, RequestFailed
from service.upstream.sink import HttpSink
from tests.support.recording_upstream import recording_upstream
from tests.support.run_controls import ClockedControl
from tests.support.upstream_batches import batch_of, configured, readings
from tests.support.upstreams import answering, http_answer, sending_for_ever, speaking

METADATA = "169.254.169.254"


def client(
    resolve: Callable[[str, int], Sequence[str]] = lambda _host, _port: ["127.0.0.1"],
    policy: AddressPolicy = AddressPolicy.PRIVATE_TOO,
    timeout_s: float = 10.0,
    check: Callable[[], None] = lambda: None,
) -> HttpClient:
    connector = Connector(policy, resolve)
    return HttpClient(connector, None, timeout_s=timeout_s, connections=2, monotonic=time.monotonic, check=check)


@pytest.mark.parametrize(
    ("address", "policy"),
    [
        (METADATA, AddressPolicy.PRIVATE_TOO),
        ("fe80::1", AddressPolicy.PRIVATE_TOO),
        ("::ffff:169.254.169.254", AddressPolicy.PRIVATE_TOO),
        ("0.0.0.0", AddressPolicy.PRIVATE_TOO),
        ("127.0.0.1", AddressPolicy.PUBLIC_ONLY),
        ("10.0.0.1", AddressPolicy.PUBLIC_ONLY),
    ],
)
def test_an_address_that_is_not_allowed_is_not_connected_to(address: str, policy: AddressPolicy) -> None:
    with client(lambda _host, _port: [address], policy) as http, pytest.raises(AddressRefused):
        http.post("http://upstream.test/", {}, b"")


def test_a_name_that_leads_elsewhere_later_is_refused_then(
    sink_for: Callable[..., HttpSink], control: ClockedControl
) -> None:
    answers = itertools.chain([["127.0.0.1"]], itertools.repeat([METADATA]))
    with recording_upstream() as upstream:
        configuration = configured(f"http://rebinding.test:{upstream.port}/points")
        first = sink_for(configuration, resolve=lambda _host, _port: next(answers))
        first.deliver(batch_of(readings(3)))
        first.close()
        second = sink_for(configuration, resolve=lambda _host, _port: next(answers))
        with pytest.raises(UpstreamStopped, match="a cloud's metadata service"):
            second.deliver(batch_of(readings(3)))
        assert len(upstream.requests) == 1
        assert upstream.requests[0].headers["host"] == f"rebinding.test:{upstream.port}"


def test_a_connection_is_used_again_without_a_new_look_at_the_name() -> None:
    looked_up: list[str] = []

    def resolve(host: str, _port: int) -> Sequence[str]:
        looked_up.append(host)
        return ["127.0.0.1"]

    with recording_upstream(only_counts=True) as upstream, client(resolve) as http:
        for _ in range(3):
            assert http.post(f"http://upstream.test:{upstream.port}/", {}, b"{}").status == 200
    assert looked_up == ["upstream.test"]


def test_an_idle_connection_that_the_server_closed_is_not_used() -> None:
    with answering(http_answer(200, b"{}")) as upstream, client() as http:
        assert [http.post(f"http://upstream.test:{upstream.port}/", {}, b"").status for _ in range(3)] == [200] * 3


def test_of_several_addresses_one_that_answers_is_taken() -> None:
    with recording_upstream(only_counts=True) as upstream, client(lambda *_: [METADATA, "::1", "127.0.0.1"]) as http:
        assert http.post(f"http://upstream.test:{upstream.port}/", {}, b"{}").status == 200


def test_a_redirect_is_an_answer_like_any_other() -> None:
    with answering(http_answer(302, b"", "Location: http://127.0.0.1:1/")) as upstream, client() as http:
        answer = http.post(f"http://upstream.test:{upstream.port}/", {}, b"")
    assert (answer.status, answer.headers["location"]) == (302, "http://127.0.0.1:1/")


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def test_of_an_endless_body_a_bounded_beginning_is_read() -> None:
    with speaking(sending_for_ever(HEAD + b"\r\n", b"x" * 65_536, 0)) as url, client() as http:
        answer = http.post(url, {}, b"")
    assert (answer.status, len(answer.body), answer.is_whole) == (200, MOST_ANSWER_BYTES, False)
    assert answer.document is UNPARSED


@pytest.mark.parametrize(
    ("head", "piece", "finding"),
    [
        (b"", b"", "gave no answer within 1 s"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x", "gave no answer within 1 s"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", "gave no answer within 1 s"),
    ],
)
def test_an_answer_that_never_begins_ends_in_time(head: bytes, piece: bytes, finding: str) -> None:
    silent = sending_for_ever(head, piece, 0.02)
    with speaking(silent) as url, client(timeout_s=1.0) as http, pytest.raises(RequestFailed) as failed:
        http.post(url, {}, b"")
    assert failed.value.finding == finding
    assert failed.value.was_sent


def test_a_body_that_dribbles_ends_in_time_and_leaves_the_status() -> None:
    with speaking(sending_for_ever(HEAD + b"\r\n", b"x", 0.02)) as url, client(timeout_s=1.0) as http:
        answer = http.post(url, {}, b"")
    assert (answer.status, answer.is_whole) == (200, False)


def test_a_server_that_takes_no_bytes_ends_in_time() -> None:
    asleep = sending_for_ever(b"", b"", 1.0)
    with speaking(asleep) as url, client(timeout_s=1.0) as http, pytest.raises(RequestFailed) as failed:
        http.post(url, {}, b"x" * 50_000_000)
    assert (failed.value.finding, failed.value.was_sent) == ("gave no answer within 1 s", True)


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"X: " + b"x" * 1_000_000 + b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 20",
        b"",
    ],
)
def test_what_is_no_http_is_a_post_without_an_answer(answer: bytes) -> None:
    with speaking(lambda link: link.sendall(answer)) as url, client() as http, pytest.raises(RequestFailed) as failed:
        http.post(url, {}, b"")
    assert failed.value.was_sent


def test_a_reset_is_a_post_without_an_answer() -> None:
    def reset(link: socket.socket) -> None:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with speaking(reset) as url, client() as http, pytest.raises(RequestFailed) as failed:
        http.post(url, {}, b"")
    assert failed.value.was_sent


def test_a_body_that_breaks_off_leaves_the_status_and_no_document() -> None:
    with speaking(lambda link: link.sendall(HEAD + b"Content-Length: 100\r\n\r\n{}")) as url, client() as http:
        answer = http.post(url, {}, b"")
    assert (answer.status, answer.body, answer.document) == (200, b"{}", UNPARSED)


def test_the_document_is_what_the_body_says_whatever_its_type() -> None:
    text = b'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 12\r\n\r\n{"ok": true}'
    with speaking(lambda link: link.sendall(text)) as url, client() as http:
        assert http.post(url, {}, b"").document == {"ok": True}


def test_where_nothing_listens_nothing_was_sent() -> None:
    with client() as http, pytest.raises(RequestFailed) as failed:
        http.post("http://upstream.test:1/", {}, b"")
    assert (failed.value.finding, failed.value.was_sent) == ("cannot be reached", False)


def test_a_name_without_addresses_cannot_be_reached() -> None:
    def resolve(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror("no such name")

    with client(resolve) as http, pytest.raises(RequestFailed) as failed:
        http.post("http://upstream.test/", {}, b"")
    assert not failed.value.was_sent


def test_a_run_that_ends_does_not_wait_for_a_silent_server() -> None:
    calls = itertools.count()

    def check() -> None:
        if next(calls) > 2:
            raise Cancelled

    asleep = sending_for_ever(b"", b"", 1.0)
    with speaking(asleep) as url, client(timeout_s=3_600, check=check) as http, pytest.raises(Cancelled):
        http.post(url, {}, b"")


def test_the_host_of_an_ipv6_address_has_brackets() -> None:
    with answering(http_answer(200, b"{}")) as upstream, client() as http:
        http.post(f"http://[::1]:{upstream.port}/", {}, b"")
    assert b"\r\nHost: [::1]:%d\r\n" % upstream.port in upstream.heard[0]
