"""TLS to an upstream is always verified: by the usual authorities, and by one's own where it is configured."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from service.errors import InvalidParameter, UpstreamUnavailable
from service.upstream.sink import HttpSink
from tests.support.certificates import PASSWORD, Authority
from tests.support.demanded import or_skip
from tests.support.recording_upstream import recording_upstream
from tests.support.upstream_batches import batch_of, configured, expected, readings

OpenSink = Callable[..., HttpSink]
NAME = "upstream.test"
ROWS = readings(10)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return or_skip(lambda: Authority(tmp_path_factory.mktemp("authority")))


def deliver(sink_for: OpenSink, port: int, name: str = NAME, **members: object) -> int:
    configuration = configured(f"https://{name}:{port}/points", **members)
    return sink_for(configuration, resolve=lambda _host, _port: ["127.0.0.1"]).deliver(batch_of(ROWS)).accepted


def test_a_server_of_the_configured_authority_is_trusted(sink_for: OpenSink, authority: Authority) -> None:
    with recording_upstream(tls=authority.server_context(NAME)) as upstream:
        assert deliver(sink_for, upstream.port, ca_file=str(authority.file)) == 10
        assert upstream.values == expected(ROWS)


@pytest.mark.parametrize(
    ("name", "with_ca", "days", "reason"),
    [
        (NAME, False, 30, "unable to get local issuer certificate"),
        ("other.test", True, 30, "Hostname mismatch"),
        (NAME, True, -1, "certificate has expired"),
    ],
)
def test_a_server_that_cannot_be_verified_gets_no_byte_of_data(
    sink_for: OpenSink, authority: Authority, name: str, with_ca: bool, days: int, reason: str
) -> None:
    members = {"ca_file": str(authority.file)} if with_ca else {}
    with recording_upstream(tls=authority.server_context(NAME, days=days)) as upstream:
        with pytest.raises(UpstreamUnavailable, match=rf"a certificate that cannot be verified \({reason}"):
            deliver(sink_for, upstream.port, name, **members)
        assert upstream.requests == []


def test_a_server_without_tls_is_said(sink_for: OpenSink) -> None:
    with recording_upstream() as upstream, pytest.raises(UpstreamUnavailable, match="makes no TLS connection"):
        deliver(sink_for, upstream.port)


@pytest.mark.parametrize("password", [None, PASSWORD])
def test_a_client_certificate_proves_the_gateway(
    sink_for: OpenSink, authority: Authority, password: str | None
) -> None:
    pair = authority.signed("gateway.test", password=password)
    files = {"cert_file": str(pair.certificate), "key_file": str(pair.key), "password": password}
    with recording_upstream(tls=authority.server_context(NAME, wants_client=True)) as upstream:
        members = {"ca_file": str(authority.file), "client_certificate": files}
        assert deliver(sink_for, upstream.port, **members) == 10


def test_without_the_client_certificate_the_server_takes_nothing(sink_for: OpenSink, authority: Authority) -> None:
    with recording_upstream(tls=authority.server_context(NAME, wants_client=True)) as upstream:
        with pytest.raises(UpstreamUnavailable):
            deliver(sink_for, upstream.port, ca_file=str(authority.file))
        assert upstream.requests == []


def test_files_that_hold_something_else_are_named(sink_for: OpenSink, authority: Authority, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no certificate")
    with pytest.raises(InvalidParameter, match="holds no certificate in PEM form") as refused:
        deliver(sink_for, 1, ca_file=str(text))
    assert refused.value.parameter == "ca_file"
    pair = authority.signed("locked.test", password=PASSWORD)
    for password in (None, "wrong"):
        files = {"cert_file": str(pair.certificate), "key_file": str(pair.key), "password": password}
        with pytest.raises(InvalidParameter, match="the password of the key is missing or wrong") as refused:
            deliver(sink_for, 1, client_certificate=files)
        assert refused.value.parameter == "client_certificate"


def test_the_fixture_of_the_expired_certificate_is_one(authority: Authority) -> None:
    with pytest.raises(ssl.SSLError):
        ssl.create_default_context().load_cert_chain(authority.file, authority.signed("unrelated.test").key)
