"""Reads over a link that fails: every failure is an error that names its cause, never a shorter success."""

import socket
import threading
import time

import pytest

from service.domain.durations import parse_duration
from service.domain.selection import Fn, Selection, Windows
from service.domain.timerange import TimeRange
from service.errors import (
    FluxgateError,
    StoreBroken,
    StoreBusy,
    StoreDenied,
    StoreError,
    StoreFailed,
    StoreTimeout,
    StoreUnavailable,
)
from service.stores.influx.store import InfluxStore
from tests.faults.conftest import START, store_at
from tests.support.liar import Answer, Liar
from tests.support.proxy import End, Proxy, Toxic
from tests.support.rows import Row, collect
from tests.support.servers import InfluxServer, free_port

SPAN = TimeRange(START, START + parse_duration("20d", "length"))
MEANS = Windows(parse_duration("1h", "every"), Fn.MEAN)
KINDS = pytest.mark.parametrize("windows", [None, MEANS], ids=["raw", "means"])


def rows(store: InfluxStore, bucket: str, windows: Windows | None) -> list[Row]:
    return collect(store.read(Selection(bucket, SPAN, windows)))


@KINDS
def test_a_link_without_faults_gives_all_rows(
    influx: InfluxServer, filled: str, link: Proxy, windows: Windows | None
) -> None:
    assert len(rows(store_at(link.url, influx), filled, windows)) == (6 * 3 * 1920 if windows is None else 6 * 2 * 480)


def test_a_server_that_is_down_is_unavailable(influx: InfluxServer, filled: str) -> None:
    store = store_at(f"http://127.0.0.1:{free_port()}", influx)
    with pytest.raises(StoreUnavailable, match="INFLUXDB_URL"):
        rows(store, filled, None)
    with pytest.raises(StoreUnavailable, match="INFLUXDB_URL"):
        store.ping()


def test_a_server_that_takes_no_connection_is_given_up_soon(influx: InfluxServer, filled: str) -> None:
    """A listener with a full queue answers no SYN, as a filtered port does not."""
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        began = time.monotonic()
        with pytest.raises((StoreUnavailable, StoreTimeout)):
            rows(store_at(f"http://127.0.0.1:{deaf.getsockname()[1]}", influx), filled, None)
        assert time.monotonic() - began < 5


def test_a_connection_that_is_refused_after_it_was_made_is_an_error(
    influx: InfluxServer, filled: str, link: Proxy
) -> None:
    link.become(Toxic(refuse=True))
    with pytest.raises((StoreUnavailable, StoreBroken)):
        rows(store_at(link.url, influx), filled, None)


def test_a_refused_token_is_said_and_not_shown(influx: InfluxServer, filled: str) -> None:
    store = store_at(influx.url, influx, token="a-wrong-token-nobody-has")
    for ask in (lambda: rows(store, filled, None), store.ping, lambda: store.latest(filled, SPAN, "m")):
        with pytest.raises(StoreDenied, match="INFLUXDB_TOKEN") as refused:
            ask()
        assert "a-wrong-token" not in refused.value.message


@KINDS
@pytest.mark.parametrize("pass_bytes", [0, 100, 20_000])
def test_silence_is_a_timeout_wherever_it_begins(
    influx: InfluxServer, filled: str, link: Proxy, windows: Windows | None, pass_bytes: int
) -> None:
    link.become(Toxic(pass_bytes=pass_bytes, end=End.HANG))
    began = time.monotonic()
    with pytest.raises(StoreTimeout):
        rows(store_at(link.url, influx), filled, windows)
    assert time.monotonic() - began < 6


def test_a_slow_link_that_never_falls_silent_succeeds(influx: InfluxServer, filled: str, link: Proxy) -> None:
    link.become(Toxic(latency_s=0.02, bytes_per_s=2_000_000))
    assert len(rows(store_at(link.url, influx), filled, MEANS)) == 6 * 2 * 480


def test_a_read_that_takes_too_long_in_all_is_a_timeout(influx: InfluxServer, filled: str, link: Proxy) -> None:
    store = InfluxStore(link.url, influx.token, influx.org, connect_timeout_s=1, silence_timeout_s=5, read_timeout_s=2)
    rows(store, filled, None)
    link.become(Toxic(bytes_per_s=20_000))
    began = time.monotonic()
    with pytest.raises(StoreTimeout, match="READ_TIMEOUT_S"):
        rows(store, filled, None)
    assert time.monotonic() - began < 8


@KINDS
@pytest.mark.parametrize("end", [End.CUT, End.RESET])
def test_a_cut_anywhere_is_never_a_shorter_success(
    influx: InfluxServer, filled: str, link: Proxy, windows: Windows | None, end: End
) -> None:
    complete = rows(store_at(link.url, influx), filled, windows)
    whole_bytes = link.passed_bytes
    places = [
        0,
        1,
        17,
        150,
        *range(400, whole_bytes, max(whole_bytes // 25, 1)),
        whole_bytes - 5,
        whole_bytes - 2,
        whole_bytes - 1,
    ]
    failures = 0
    for place in places:
        link.become(Toxic(pass_bytes=place, end=end))
        try:
            assert rows(store_at(link.url, influx), filled, windows) == complete, (
                f"a shorter success when cut after {place} bytes"
            )
        except (StoreBroken, StoreUnavailable):
            failures += 1
    assert failures >= len(places) - 3


def query_only(answer: Answer, path: str, body: bytes) -> Answer:
    return answer.with_body(body) if "query" in path else answer


@KINDS
def test_a_body_that_is_cut_and_ended_properly_is_never_a_shorter_success(
    influx: InfluxServer, filled: str, liar: Liar, windows: Windows | None
) -> None:
    """A proxy in between may re-frame a cut body, and InfluxDB itself ends one properly after an encoder error."""
    complete = rows(store_at(liar.url, influx), filled, windows)
    asked = len(liar.paths)
    assert asked > 1
    for nth in range(asked):
        for part in (0.0, 0.3, 0.7, 0.999):
            counter = iter(range(1000))
            cut = []

            def lie(path: str, answer: Answer, nth: int = nth, part: float = part, counter=counter, cut=cut) -> Answer:  # noqa: ANN001
                if next(counter) != nth or not answer.body:
                    return answer
                cut.append(path)
                return answer.with_body(answer.body[: int(len(answer.body) * part)])

            liar.lie = lie
            try:
                found = rows(store_at(liar.url, influx), filled, windows)
            except FluxgateError as refused:
                assert isinstance(refused, StoreError), f"{refused!r} for a cut at {part} of request {nth} to {cut}"
            else:
                assert found == complete, f"a shorter success for a cut at {part} of request {nth} to {cut}"


@KINDS
@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_an_error_in_the_middle_of_a_success_is_an_error(
    influx: InfluxServer, filled: str, liar: Liar, windows: Windows | None, part: float
) -> None:
    """The error table that InfluxDB appends to a 200 when a query fails on its way."""

    def lie(path: str, answer: Answer) -> Answer:
        if path != "/api/v2/query":
            return answer
        lines = answer.body.split(b"\r\n")
        kept = b"\r\n".join(lines[: int(len(lines) * part)])
        return answer.with_body(
            kept + b"\r\n\r\n#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n"
            b",error,reference\r\n,the disk is on fire,\r\n"
        )

    liar.lie = lie
    store = store_at(liar.url, influx)
    if windows is None:
        with pytest.raises(StoreError) as failed:
            store.latest(filled, SPAN, "m")
    else:
        with pytest.raises(StoreError) as failed:
            rows(store, filled, windows)
    assert failed.value.upstream == "the disk is on fire"


@KINDS
@pytest.mark.parametrize("nth", range(4))
def test_a_request_to_wait_is_passed_on_with_its_seconds(
    influx: InfluxServer, filled: str, liar: Liar, windows: Windows | None, nth: int
) -> None:
    counter = iter(range(1000))

    def lie(path: str, answer: Answer) -> Answer:
        if next(counter) < nth:
            return answer
        return Answer(429, b'{"code":"too many requests","message":"rate limited"}', {"Retry-After": "17"})

    liar.lie = lie
    with pytest.raises(StoreBusy) as busy:
        rows(store_at(liar.url, influx), filled, windows)
    assert busy.value.retry_after_s == 17


@KINDS
def test_a_web_page_in_place_of_the_answer_is_no_answer(
    influx: InfluxServer, filled: str, liar: Liar, windows: Windows | None
) -> None:
    page = b"<html><body>Please log in to the plant's network</body></html>"
    for only_queries in (False, True):
        liar.lie = lambda path, answer, only=only_queries: (
            answer if only and "query" not in path else Answer(200, page, {"Content-Type": "text/html"})
        )
        with pytest.raises(StoreError, match="INFLUXDB_URL"):
            rows(store_at(liar.url, influx), filled, windows)


@pytest.mark.parametrize("kind", ["application/csv", "application/json", "text/csv", "application/x-msgpack"])
@KINDS
def test_nonsense_in_place_of_the_answer_is_an_error(
    influx: InfluxServer, filled: str, liar: Liar, windows: Windows | None, kind: str
) -> None:
    for nonsense in (b"", b"{}", b"\r\n", b"hello", b"\x00\xff\xfe", b"a,b,c\n1,2,3\n"):
        liar.lie = lambda path, answer, body=nonsense: (
            Answer(200, body, {"Content-Type": kind}) if "query" in path else answer
        )
        with pytest.raises(StoreError):
            rows(store_at(liar.url, influx), filled, windows)


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (400, "failed to initialize execute state: queue length exceeded", StoreBusy),
        (400, "memory allocation limit reached: limit 10 bytes, allocated 5, wanted 6", StoreFailed),
        (500, "engine is broken", StoreFailed),
        (503, "starting", StoreUnavailable),
        (504, "gateway timeout", StoreTimeout),
        (401, "unauthorized access", StoreDenied),
    ],
)
@KINDS
def test_an_error_status_says_who_acts(
    influx: InfluxServer,
    filled: str,
    liar: Liar,
    windows: Windows | None,
    status: int,
    message: str,
    expected: type[FluxgateError],
) -> None:
    body = f'{{"code":"x","message":"{message}"}}'.encode()
    liar.lie = lambda path, answer: (
        Answer(status, body, {"Content-Type": "application/json"}) if "query" in path else answer
    )
    with pytest.raises(expected):
        rows(store_at(liar.url, influx), filled, windows)


def test_a_link_that_recovers_serves_the_next_read(influx: InfluxServer, filled: str, link: Proxy) -> None:
    store = store_at(link.url, influx)
    link.become(Toxic(pass_bytes=3000, end=End.RESET))
    with pytest.raises(StoreError):
        rows(store, filled, MEANS)
    link.become(Toxic())
    assert len(rows(store, filled, MEANS)) == 6 * 2 * 480


def test_a_server_that_hangs_and_comes_back_serves_the_next_read(influx: InfluxServer, filled: str) -> None:
    store = store_at(influx.url, influx)
    influx.server.freeze()
    try:
        with pytest.raises(StoreTimeout):
            rows(store, filled, MEANS)
    finally:
        influx.server.thaw()
    assert len(rows(store, filled, MEANS)) == 6 * 2 * 480


def test_cancelling_a_finished_read_disturbs_none_that_uses_its_connection(
    influx: InfluxServer, filled: str, link: Proxy
) -> None:
    store = store_at(link.url, influx, silence_timeout_s=5)
    finished = store.read(Selection(filled, SPAN, MEANS))
    expected = collect(finished)
    link.become(Toxic(latency_s=0.1))
    found: list[list[Row]] = []
    reader = threading.Thread(target=lambda: found.append(rows(store, filled, MEANS)), daemon=True)
    reader.start()
    while reader.is_alive():
        finished.cancel()
        reader.join(0.02)
    assert found == [expected]
