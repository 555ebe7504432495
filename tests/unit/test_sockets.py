"""What is connected to is what was checked, at the moment of connecting, whatever the name said before."""

import socket
from collections.abc import Iterator, Sequence

import pytest

from service.domain.addresses import AddressPolicy
from service.domain.backoff import is_transient
from service.errors import AddressRefused, StoreBroken, StoreError, StoreFailed, StoreUnavailable
from service.sockets import Connector, is_ready, resolve_host
from service.stores.influx.transport import Transport
from tests.support.upstreams import Upstream, answering, http_answer

METADATA = "169.254.169.254"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with answering(http_answer(200, b"{}")) as one:
        yield one


def resolving(*answers: Sequence[str]) -> Connector:
    """One whose resolver gives these addresses, one answer after the other."""
    left = list(answers)
    return Connector(AddressPolicy.PRIVATE_TOO, lambda host, port: left.pop(0))


def transport(port: int, connector: Connector, scheme: str = "http") -> Transport:
    return Transport(
        f"{scheme}://influx.test:{port}", "token", "org", connect_timeout_s=2, silence_timeout_s=5, connector=connector
    )


def test_a_name_that_resolves_to_another_address_later_is_refused_then(upstream: Upstream) -> None:
    link = transport(upstream.port, resolving(["127.0.0.1"], [METADATA]))
    assert link.json("GET", "/first") == {}
    with pytest.raises(AddressRefused) as refused:
        link.json("GET", "/second")
    assert str(refused.value) == (
        f"No connection was made to influx.test:{upstream.port}: {METADATA} is a cloud's metadata service,"
        " and such addresses are never connected to. Name another address, or change what is allowed."
    )
    assert len(upstream.heard) == 1


def test_the_host_in_the_request_is_the_name(upstream: Upstream) -> None:
    transport(upstream.port, resolving(["127.0.0.1"])).json("GET", "/")
    assert b"\r\nHost: influx.test:%d\r\n" % upstream.port in upstream.heard[0]


def test_the_name_in_tls_is_the_name(upstream: Upstream) -> None:
    with pytest.raises(StoreError):
        transport(upstream.port, resolving(["127.0.0.1"]), "https").json("GET", "/")
    assert b"influx.test" in upstream.heard[0], "the server name of the client's hello"


def test_of_several_addresses_only_those_that_are_allowed_are_tried(upstream: Upstream) -> None:
    link = transport(upstream.port, resolving([METADATA, "fe80::1", "::ffff:169.254.169.254", "127.0.0.1"]))
    assert link.json("GET", "/") == {}


def test_the_next_address_is_tried_when_one_does_not_answer(upstream: Upstream) -> None:
    assert transport(upstream.port, resolving(["127.0.0.2", "127.0.0.1"])).json("GET", "/") == {}


@pytest.mark.parametrize(
    "found",
    [
        ["10.0.0.1"],
        ["127.0.0.1"],
        ["::1"],
        ["fd00::1"],
        ["0.0.0.0"],
        [METADATA],
        ["::ffff:10.0.0.1"],
        ["64:ff9b::a9fe:a9fe"],
    ],
)
def test_private_addresses_are_refused_where_only_public_ones_are_allowed(found: list[str]) -> None:
    with pytest.raises(AddressRefused):
        Connector(AddressPolicy.PUBLIC_ONLY, lambda host, port: found).connect("influx.test", 80, 1)


def test_an_address_of_the_operators_own_settings_may_be_any() -> None:
    assert Connector(AddressPolicy.ANYWHERE, lambda host, port: [METADATA]).allowed_addresses("influx.test", 80) == [
        METADATA
    ]


def test_a_name_that_has_no_address_is_an_outage_and_not_a_refusal() -> None:
    with pytest.raises(StoreUnavailable, match="No connection to InfluxDB"):
        transport(80, Connector(AddressPolicy.PRIVATE_TOO, lambda host, port: [])).json("GET", "/")
    with pytest.raises(StoreUnavailable, match="No connection to InfluxDB"):
        Transport("http://no-such-name.invalid", "t", "o", connector=Connector(AddressPolicy.PRIVATE_TOO)).json(
            "GET", "/"
        )


def test_time_does_not_mend_a_refusal() -> None:
    assert not is_transient(AddressRefused("no"))


def test_the_system_resolves_this_machine() -> None:
    assert set(resolve_host("localhost", 80)) <= {"127.0.0.1", "::1"}
    assert resolve_host("127.0.0.1", 80) == ["127.0.0.1"]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "INFLUXDB_V2_PROXY"])
def test_no_proxy_of_the_environment_is_used(upstream: Upstream, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with answering(http_answer(502)) as proxy:
        monkeypatch.setenv(name, proxy.url)
        assert transport(upstream.port, resolving(["127.0.0.1"])).json("GET", "/") == {}
        assert proxy.heard == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_is_an_error_and_not_followed(status: int, method: str) -> None:
    with (
        answering(b"") as bait,
        answering(http_answer(status, b"", f"Location: {bait.url}/latest/meta-data")) as upstream,
    ):
        with pytest.raises(
            StoreFailed, match=rf"answers with a redirect \({status}\), and none is followed. Set INFLUXDB_URL"
        ):
            transport(upstream.port, resolving(["127.0.0.1"])).json(method, "/")
        assert (len(upstream.heard), bait.heard) == (1, [])


@pytest.mark.parametrize(
    "banner", [b"SSH-2.0-hunter2\r\n", b"220 hunter2 ESMTP\r\n", b"-ERR hunter2\r\n", b"HTTP/1.1 hunter2\r\n\r\n"]
)
def test_the_banner_of_another_protocol_is_not_part_of_the_message(banner: bytes) -> None:
    with answering(banner) as other, pytest.raises(StoreBroken) as broken:
        transport(other.port, resolving(["127.0.0.1"])).json("GET", "/")
    assert "hunter2" not in str(broken.value)
    assert "hunter2" in broken.value.upstream


def test_a_connection_is_ready_when_bytes_wait_or_when_it_takes_some() -> None:
    near, far = socket.socketpair()
    with near, far:
        assert (is_ready(near, 0.0), is_ready(near, 0.0, to_write=True)) == (False, True)
        far.sendall(b"x")
        assert is_ready(near, 1.0) and is_ready(near.fileno(), 1.0)
