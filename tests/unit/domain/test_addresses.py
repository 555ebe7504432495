"""Addresses that others name: one form, read once, and a verdict for every IP address that a name may have."""

import ipaddress
import re
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3.util import parse_url

from service.domain.addresses import (
    LONGEST_ADDRESS,
    Address,
    AddressPolicy,
    Destination,
    WrongAddress,
    destination,
    parse_address,
    refusal,
    refusal_of,
)

TAKEN = [
    ("http://127.0.0.1:8086", "http://127.0.0.1:8086", "127.0.0.1", 8086),
    ("http://localhost", "http://localhost", "localhost", 80),
    (
        "https://eu-central-1-1.aws.cloud2.influxdata.com",
        "https://eu-central-1-1.aws.cloud2.influxdata.com",
        "eu-central-1-1.aws.cloud2.influxdata.com",
        443,
    ),
    ("HTTP://Influx.Example:80/", "http://influx.example", "influx.example", 80),
    ("https://influx.example:8086/base/of/it/", "https://influx.example:8086/base/of/it", "influx.example", 8086),
    ("http://influx_db:8086", "http://influx_db:8086", "influx_db", 8086),
    ("http://[::1]:8086", "http://[::1]:8086", "::1", 8086),
    ("http://[0:0:0:0:0:0:0:1]/", "http://[::1]", "::1", 80),
    ("http://[2A00:1450::64]:1", "http://[2a00:1450::64]:1", "2a00:1450::64", 1),
    ("http://xn--mnchen-3ya.example:65535", "http://xn--mnchen-3ya.example:65535", "xn--mnchen-3ya.example", 65535),
    ("http://a/@b", "http://a/@b", "a", 80),
    ("http://1.2.3.4.example", "http://1.2.3.4.example", "1.2.3.4.example", 80),
]

REFUSED = [
    # no address, or another scheme (RFC 3986, 3.1)
    "", "foo", "127.0.0.1:8086", "//host", "http:host", "http:/host", "http:///host", "http://", "http://:80",
    "://host", "ftp://host",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_INFO", "unix:///var/run/docker.sock", "http+unix://socket", "javascript://host",
    "ws://host",
    " http://host", "http://host ",
    # user info, query, fragment (RFC 3986, 3.2.1)
    "http://user@host", "http://user:password@host", "http://host@169.254.169.254", "http://good.example@evil.example",
    "http://@host", "http://a:b:c@host",
    "http://host?x=1", "http://host/?x", "http://host#x", "http://host/#@evil.example", "http://host#@evil.example/",
    "http://evil.example?@host",
    # characters that parsers read in different ways
    "http://host\\@evil.example", "http://host\\evil", "http:\\\\host", "http://ho st", "http://ho\tst",
    "http://ho\nst", "http://ho\rst", "http://ho\0st",
    "http://host\x7f", "http://h%6fst", "http://127.0.0.1%2f@host", "http://host%00.example", "http://host%2eexample",
    "http://ho\u00adst", "http://ho\u200bst",
    # names outside ASCII, which fold to others (UTS 46)
    "http://münchen.example", "http://ⓔxample.com", "http://127。0。0。1", "http://１２７.0.0.1", "http://ｌocalhost",
    "http://169.254.169。254",
    # IPv4 in odd forms (inet_aton, WHATWG URL 3.5)
    "http://2130706433", "http://2852039166", "http://0x7f000001", "http://0x7f.1", "http://127.1", "http://127.0.1",
    "http://0177.0.0.1", "http://0x7f.0.0.1",
    "http://127.0.0.0x1", "http://127.0.0.01", "http://1.2.3.4.5", "http://256.1.1.1", "http://0", "http://0x",
    "http://127.0.0.1.", "http://1.2.3",
    "http://169.254.43518", "http://0xa9.0xfe.0xa9.0xfe", "http://025177524776", "http://name.1",
    "http://127.0.0.1.0x1",
    # IPv6 in odd forms (RFC 3986, 3.2.2; RFC 6874)
    "http://::1", "http://::1:8086", "http://[::1", "http://::1]", "http://[]", "http://[fe80::1%25eth0]",
    "http://[fe80::1%eth0]", "http://[v1.x]",
    "http://[127.0.0.1]", "http://[host]", "http://[::1]x", "http://[::1]80", "http://x[::1]", "http://[::1]@host",
    "http://[:::1]", "http://[::1.2.3]",
    # names that are none (RFC 1035, 2.3.1)
    "http://host.", "http://.host", "http://a..b", "http://.", "http://-host", "http://host-", "http://ho!st",
    "http://a,b", "http://a;b", "http://*.example",
    "http://" + "a" * 64 + ".example", "http://" + ".".join(["a" * 60] * 5), "http://host/" + "x" * 500,
    # ports
    "http://host:", "http://host:0", "http://host:65536", "http://host:-1", "http://host:+80", "http://host:80x",
    "http://host:080", "http://host:8_0",
    "http://host:٨٠",
    "http://host:80:81", "http://host:80@evil.example", "http://host: 80", "http://host:1e2",
    # paths that lead elsewhere
    "http://host//evil.example", "http://host/../x", "http://host/x/..", "http://host/./x", "http://host/%2e%2e/x",
    "http://host/x\r\nHost: evil", "http://host/a//b",
]  # fmt: skip

VERDICTS = [
    (
        Destination.PUBLIC,
        "8.8.8.8 1.1.1.1 100.63.255.255 100.128.0.0 172.15.0.1 172.32.0.1 192.167.1.1 223.255.255.255 "
        "2a00:1450::64 2606:4700::1111",
    ),
    (
        Destination.PRIVATE,
        "10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 100.127.255.255 198.18.0.1 "
        "fc00::1 fd12:3456::1",
    ),
    (
        Destination.LOOPBACK,
        "127.0.0.1 127.255.255.254 127.0.0.53 ::1 ::ffff:127.0.0.1 64:ff9b::127.0.0.1 2002:7f00:1::",
    ),
    (Destination.UNSPECIFIED, "0.0.0.0 :: ::ffff:0.0.0.0"),
    (Destination.LINK_LOCAL, "169.254.0.1 169.254.255.255 fe80::1 febf::1 fe80::1%eth0 ::ffff:169.254.1.1"),
    (
        Destination.METADATA,
        "169.254.169.254 169.254.170.2 100.100.100.200 192.0.0.192 168.63.129.16 "
        "fd00:ec2::254 fd00:ec2::23 fd20:ce::254",
    ),
    (
        Destination.METADATA,
        "::ffff:169.254.169.254 ::ffff:a9fe:a9fe 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe:: 2002:a9fe:a9fe::1 "
        "::ffff:100.100.100.200",
    ),
    (Destination.PRIVATE, "::ffff:10.0.0.1 64:ff9b::192.168.0.1 2002:a00:1::1"),
    (Destination.PUBLIC, "::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:808:808::1"),
    (Destination.MULTICAST, "224.0.0.1 239.255.255.250 ff02::1 ff0e::1"),
    (Destination.BROADCAST, "255.255.255.255 ::ffff:255.255.255.255"),
    (
        Destination.RESERVED,
        "0.0.0.1 0.255.255.255 240.0.0.1 255.255.255.254 192.0.0.1 192.0.2.1 198.51.100.1 203.0.113.1 192.88.99.1",
    ),
    (
        Destination.RESERVED,
        "::127.0.0.1 ::169.254.169.254 ::ffff:0:169.254.169.254 64:ff9b:1::a9fe:a9fe "
        "100::1 2001::1 2001:0:53aa:64c::1 2001:db8::1 3fff::1",
    ),
    (Destination.RESERVED, "fec0::1 4000::1 8000::1 5f00::1 2001:2::1 2001:10::1 ::2"),
]


@pytest.mark.parametrize(("text", "form", "host", "port"), TAKEN)
def test_an_address_has_one_form(text: str, form: str, host: str, port: int) -> None:
    address = parse_address(text)
    assert (str(address), address.host, address.port) == (form, host, port)
    assert parse_address(form) == address


@pytest.mark.parametrize("text", REFUSED)
def test_a_text_that_can_be_read_in_two_ways_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(WrongAddress) as refused:
        parse_address(text)
    assert "evil" not in str(refused.value)
    assert "password@" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://[fe80::1%eth0]", "what stands in brackets is no IPv6 address"),
        ("http://[1.2.3.4]", "what stands in brackets is no IPv6 address"),
        ("http://", "it names no host"),
        ("http://" + "a" * 500, "an address has at most 500 characters"),
        *((f"http://a{wrong}b", "it holds a space, a backslash, a control character") for wrong in " \\\n\x7fä"),
        ("ftp://a", "only http and https are taken"),
        ("a:8086", "write it like http://127.0.0.1:8086"),
        ("http://a?b", "no query and no fragment"),
        ("http://a#b", "no query and no fragment"),
        ("http://user@a", "no user or password"),
        ("http://[::1", "its host cannot be read"),
        ("http://:80", "it names no host"),
        ("http://1.2.3.4.", "its host is a number"),
        ("http://a.0x7f", "its host is a number"),
        ("http://1.2.3", "its host is a number"),
        ("http://a.b.", "its host is no name"),
        ("http://.", "its host is no name"),
        ("http://a..b", "its host is no name"),
        ("http://a:0", "its port is none"),
        ("http://a:65536", "its port is none"),
        ("http://a/b/../c", "its path holds"),
        (f"http://{'a.' * 126}aa", "its host is no name"),
    ],
)
def test_a_refusal_says_which_part_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(WrongAddress, match=re.escape(reason)):
        parse_address(text)


def test_the_longest_name_and_the_longest_address() -> None:
    """253 letters are the longest name of a host (RFC 1035)."""
    longest = f"{'a.' * 126}a"
    assert parse_address(f"http://{longest}").host == longest
    path = "/" + "p" * (LONGEST_ADDRESS - len("http://a/"))
    assert LONGEST_ADDRESS == 500
    assert parse_address(f"http://a{path}").path == path
    with pytest.raises(WrongAddress):
        parse_address(f"http://a{path}p")
    assert parse_address("http://a:65535").port == 65535


@pytest.mark.parametrize(("expected", "text"), [(kind, text) for kind, texts in VERDICTS for text in texts.split()])
def test_every_ip_address_is_for_something(expected: Destination, text: str) -> None:
    assert destination(ipaddress.ip_address(text)) is expected


@pytest.mark.parametrize(
    ("policy", "refused"),
    [
        (AddressPolicy.ANYWHERE, set()),
        (AddressPolicy.PRIVATE_TOO, set(Destination) - {Destination.PUBLIC, Destination.PRIVATE, Destination.LOOPBACK}),
        (AddressPolicy.PUBLIC_ONLY, set(Destination) - {Destination.PUBLIC}),
    ],
)
def test_a_policy_says_how_far_addresses_lead(policy: AddressPolicy, refused: set[Destination]) -> None:
    assert {
        kind
        for kind, texts in VERDICTS
        for text in texts.split()
        if refusal(ipaddress.ip_address(text), policy) is not None
    } == refused


def test_a_refusal_says_what_the_address_is() -> None:
    metadata, private = ipaddress.ip_address("169.254.169.254"), ipaddress.ip_address("10.1.2.3")
    told = "169.254.169.254 is a cloud's metadata service, and such addresses are never connected to"
    assert refusal(metadata, AddressPolicy.PRIVATE_TOO) == told
    assert (
        refusal(private, AddressPolicy.PUBLIC_ONLY) == "10.1.2.3 is private, and only public addresses are allowed here"
    )


@pytest.mark.parametrize(
    ("text", "refused"),
    [("http://localhost", True), ("http://a.localhost", True), ("http://127.0.0.1", True), ("http://[::1]", True),
     ("http://10.0.0.1", True),
     ("http://name.example", False), ("http://8.8.8.8", False), ("http://localhost.example", False)],
)  # fmt: skip
def test_names_of_this_machine_are_refused_before_they_are_resolved(text: str, refused: bool) -> None:
    assert (refusal_of(parse_address(text), AddressPolicy.PUBLIC_ONLY) is not None) == refused
    assert refusal_of(parse_address(text), AddressPolicy.PRIVATE_TOO) is None


_PIECES = st.sampled_from(
    ["http://", "https://", "HTTP://", "a", "host", "127.0.0.1", "[::1]", "[", "]", "@", ":", "80", "/", "//", "\\",
     "?", "#", "%", "%2f", ".", "..",
     "0x7f",
     "1", "é", "\t", "\0", " ", "::", "ffff", "_", "-", "xn--", "evil.example", "。", ";", "&", "=", ","]
)  # fmt: skip
_TEXTS = st.one_of(
    st.lists(_PIECES, max_size=12).map("".join),
    st.lists(_PIECES, max_size=8).map(lambda found: "http://" + "".join(found)),
    st.text().map("http://{}".format),
)


@given(_TEXTS)
@example("http://a/@b:c")
@example("http://xn--a")
@example("http://[::ffff:169.254.169.254]:80/")
def test_what_is_taken_is_read_alike_by_whoever_connects(text: str) -> None:
    """The host that urllib3, httpx and the standard library connect to is the host that was checked."""
    try:
        address = parse_address(text)
    except WrongAddress:
        return
    form = str(address)
    with_urllib3, with_httpx, with_stdlib = parse_url(form), httpx.URL(form), urlsplit(form)
    hosts = {
        (with_urllib3.host or "").strip("[]"),
        with_httpx.raw_host.decode(),
        with_stdlib.hostname,
    }  # `host` decodes xn--
    assert hosts == {address.host}
    assert {with_urllib3.port or address.port, with_httpx.port or address.port, with_stdlib.port or address.port} == {
        address.port
    }
    assert (with_urllib3.scheme, with_urllib3.auth, with_urllib3.query, with_urllib3.fragment) == (
        address.scheme,
        None,
        None,
        None,
    )
    assert (with_urllib3.path or "").rstrip("/") == address.path == with_stdlib.path
    assert (parse_url(text).host or "").strip("[]") in {address.host, text.split("[")[-1].split("]")[0].lower()}
    assert parse_address(form) == address


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_is_for_the_same_in_every_ipv6_dress(number: int) -> None:
    plain = ipaddress.IPv4Address(number)
    dresses = [0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80 | 1]
    assert {destination(ipaddress.IPv6Address(dress)) for dress in dresses} == {destination(plain)}


@given(st.ip_addresses())
def test_an_address_that_the_standard_library_calls_special_is_never_public(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if destination(ip) is Destination.PUBLIC and not str(ip).startswith(("64:ff9b:", "::ffff:", "2002:")):
        assert ip.is_global and not ip.is_multicast


def test_equal_servers_have_equal_origins() -> None:
    assert Address("http", "::1", 80).origin == parse_address("http://[0:0::1]:80/x").origin == "[::1]:80"
