"""Decides which addresses the service connects to when a user names them: one strict form, one rule per IP address.

Addresses are parsed only here (RFC 3986 without what two parsers read in two ways), so the service connects to exactly
the host that it checked. A name is judged again after it is resolved: `refusal` decides about its IP address.
"""

import contextlib
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
LONGEST_ADDRESS = 500
_LONGEST_NAME = 253
_PORTS = {"http": 80, "https": 443}
_WHOLE = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/]*)(?P<path>/.*)?", re.DOTALL)
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>.*))?", re.DOTALL)
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_IPV6 = re.compile(r"[0-9a-f:.]+", re.ASCII)
_PATH = re.compile(r"(/[A-Za-z0-9_~!$&'()*+,;=:@.-]+)*/?", re.ASCII)


class WrongAddress(ValueError):
    """A text that is no address, or has another form. The message never quotes it, as it may hold a password."""


class AddressPolicy(StrEnum):
    """Where an address may lead: anywhere (for the operator), to public and private ones, or to public ones."""

    ANYWHERE = "anywhere"
    PRIVATE_TOO = "private_too"
    PUBLIC_ONLY = "public_only"


class Destination(StrEnum):
    """What an IP address is for."""

    PUBLIC = "public"
    PRIVATE = "private"
    LOOPBACK = "loopback"
    UNSPECIFIED = "unspecified"
    LINK_LOCAL = "link-local"
    METADATA = "a cloud's metadata service"
    MULTICAST = "multicast"
    BROADCAST = "broadcast"
    RESERVED = "reserved"


_ALLOWED = {
    AddressPolicy.ANYWHERE: frozenset(Destination),
    AddressPolicy.PRIVATE_TOO: frozenset({Destination.PUBLIC, Destination.PRIVATE, Destination.LOOPBACK}),
    AddressPolicy.PUBLIC_ONLY: frozenset({Destination.PUBLIC}),
}


@dataclass(frozen=True)
class Address:
    """`http` or `https`, a host in lower case, a port, and a path without a slash at its end.

    An IPv6 host has no brackets and its shortest form.
    """

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def ip(self) -> IPAddress | None:
        """The host as an IP address; None for a name."""
        return _literal(self.host)

    @property
    def origin(self) -> str:
        """Host and port: equal for equal servers."""
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def __str__(self) -> str:
        """The address in the only form that is sent, without the default port of the scheme."""
        origin = self.origin.rpartition(":")[0] if self.port == _PORTS[self.scheme] else self.origin
        return f"{self.scheme}://{origin}{self.path}"


def parse_address(text: str) -> Address:
    """Parse an address.

    Raises:
        WrongAddress: it is no address, or has a user, a query, a fragment, or a host that can be read in two ways.
    """
    if len(text) > LONGEST_ADDRESS:
        raise WrongAddress(f"an address has at most {LONGEST_ADDRESS} characters")
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        characters = "a space, a backslash, a control character or a letter outside ASCII"
        raise WrongAddress(f"it holds {characters}; write an international name as xn--…")
    match = _WHOLE.fullmatch(text)
    scheme = "" if match is None else match["scheme"].lower()
    if match is None or scheme not in _PORTS:
        form = "write it like http://127.0.0.1:8086, without a user or password"
        raise WrongAddress(f"this is no address: {form}; only http and https are taken")
    if "?" in text or "#" in text:
        raise WrongAddress("an address here has no query and no fragment: leave out what begins with ? or #")
    if "@" in match["authority"]:
        raise WrongAddress("an address here holds no user or password: leave out what stands before the @")
    authority = _AUTHORITY.fullmatch(match["authority"])
    if authority is None:
        raise WrongAddress("its host cannot be read: an IPv6 address stands in brackets, as in http://[::1]:8086")
    host, port = _host(authority["host"].lower()), _port(authority["port"], scheme)
    return Address(scheme, host, port, _path(match["path"] or ""))


def _port(text: str | None, scheme: str) -> int:
    if text is None:
        return _PORTS[scheme]
    if not _PORT.fullmatch(text) or int(text) > 65535:
        raise WrongAddress("its port is none: write a number from 1 to 65535 without zeros before it")
    return int(text)


def _path(text: str) -> str:
    if not _PATH.fullmatch(text) or any(segment in (".", "..") for segment in text.split("/")):
        raise WrongAddress("its path holds // or . or .. or %, or a character that does not belong there")
    return text.removesuffix("/")


def _host(text: str) -> str:
    """The host in its only form."""
    if text.startswith("["):
        try:
            if not _IPV6.fullmatch(text[1:-1]):
                raise ValueError
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            reason = "what stands in brackets is no IPv6 address (a zone such as %eth0 is not taken)"
            raise WrongAddress(reason) from None
    if not text:
        raise WrongAddress("it names no host")
    labels = text.split(".")
    last_label = labels[-1] or labels[-2]
    if _NUMBER.fullmatch(last_label):  # WHATWG URL, 3.5: a host that ends in a number is an IPv4 address
        try:
            return str(ipaddress.IPv4Address(text))
        except ValueError:
            form = "write an IPv4 address as four decimal numbers, such as 192.168.0.7"
            raise WrongAddress(f"its host is a number: {form}") from None
    if len(text) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise WrongAddress("its host is no name: use letters, digits, dashes and dots, without a dot at its end")
    return text


def _literal(host: str) -> IPAddress | None:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host)
    return None


def refusal_of(address: Address, policy: AddressPolicy) -> str | None:
    """Why `address` is refused before it is resolved, as the end of a sentence; None when it is not.

    A name can still be refused after it is resolved.
    """
    if address.ip is not None:
        return refusal(address.ip, policy)
    if address.host == "localhost" or address.host.endswith(".localhost"):  # RFC 6761, 6.3
        return _refusal(address.host, Destination.LOOPBACK, policy)
    return None


def refusal(ip: IPAddress, policy: AddressPolicy) -> str | None:
    """Why the service may not connect to `ip`, as the end of a sentence; None when it may."""
    return _refusal(str(ip), destination(ip), policy)


def _refusal(host: str, purpose: Destination, policy: AddressPolicy) -> str | None:
    if purpose in _ALLOWED[policy]:
        return None
    if purpose in _ALLOWED[AddressPolicy.PRIVATE_TOO]:
        return f"{host} is {purpose.value}, and only public addresses are allowed here"
    return f"{host} is {purpose.value}, and such addresses are never connected to"


def destination(ip: IPAddress) -> Destination:
    """What `ip` is for. An IPv6 address that carries an IPv4 address (mapped, NAT64, 6to4) is for the same as that."""
    if isinstance(ip, ipaddress.IPv4Address):
        return next((purpose for network, purpose in _IPV4 if ip in network), Destination.PUBLIC)
    plain = ipaddress.IPv6Address(int(ip))  # without a zone
    carried = next((int(plain) >> shift for network, shift in _CARRIERS if plain in network), None)
    if carried is not None:
        return destination(ipaddress.IPv4Address(carried & 0xFFFFFFFF))
    return next((purpose for network, purpose in _IPV6_NETWORKS if plain in network), Destination.RESERVED)


_IPV4: Sequence[tuple[ipaddress.IPv4Network, Destination]] = [
    (ipaddress.IPv4Network(network), purpose)
    for network, purpose in (
        ("169.254.169.254/32", Destination.METADATA),  # AWS, Azure, Google, Oracle, OpenStack, DigitalOcean
        ("169.254.170.0/24", Destination.METADATA),  # AWS: credentials of containers
        ("100.100.100.200/32", Destination.METADATA),  # Alibaba Cloud
        ("192.0.0.192/32", Destination.METADATA),  # Oracle Cloud, classic
        ("168.63.129.16/32", Destination.METADATA),  # Azure's host
        ("0.0.0.0/32", Destination.UNSPECIFIED),
        ("0.0.0.0/8", Destination.RESERVED),  # RFC 1122, 3.2.1.3: this network
        ("127.0.0.0/8", Destination.LOOPBACK),
        ("10.0.0.0/8", Destination.PRIVATE),  # RFC 1918
        ("172.16.0.0/12", Destination.PRIVATE),
        ("192.168.0.0/16", Destination.PRIVATE),
        ("100.64.0.0/10", Destination.PRIVATE),  # RFC 6598: a provider's own
        ("198.18.0.0/15", Destination.PRIVATE),  # RFC 2544: laboratories
        ("169.254.0.0/16", Destination.LINK_LOCAL),  # RFC 3927
        ("192.0.0.0/24", Destination.RESERVED),  # RFC 6890
        ("192.0.2.0/24", Destination.RESERVED),  # RFC 5737: documentation
        ("198.51.100.0/24", Destination.RESERVED),
        ("203.0.113.0/24", Destination.RESERVED),
        ("192.88.99.0/24", Destination.RESERVED),  # RFC 7526: relays of 6to4
        ("224.0.0.0/4", Destination.MULTICAST),  # RFC 5771
        ("255.255.255.255/32", Destination.BROADCAST),
        ("240.0.0.0/4", Destination.RESERVED),  # RFC 1112, 4
    )
]
"""The first network that holds an address decides (IANA IPv4 Special-Purpose Address Registry)."""

_IPV6_NETWORKS: Sequence[tuple[ipaddress.IPv6Network, Destination]] = [
    (ipaddress.IPv6Network(network), purpose)
    for network, purpose in (
        ("::/128", Destination.UNSPECIFIED),
        ("::1/128", Destination.LOOPBACK),
        ("fd00:ec2::/32", Destination.METADATA),  # AWS
        ("fd20:ce::254/128", Destination.METADATA),  # Google
        ("fd00:c1::a9fe:a9fe/128", Destination.METADATA),  # Oracle
        ("fd00:42::42/128", Destination.METADATA),  # Scaleway
        ("fc00::/7", Destination.PRIVATE),  # RFC 4193
        ("fe80::/10", Destination.LINK_LOCAL),  # RFC 4291, 2.5.6
        ("ff00::/8", Destination.MULTICAST),
        ("2001::/23", Destination.RESERVED),  # RFC 2928: Teredo, benchmarks, ORCHID
        ("2001:db8::/32", Destination.RESERVED),  # RFC 3849: documentation
        ("3fff::/20", Destination.RESERVED),  # RFC 9637: documentation
        ("2000::/3", Destination.PUBLIC),  # RFC 4291, 2.4: what is handed out
    )
]
"""The same for IPv6. Addresses in no network are reserved, such as fec0::/10, 100::/64, 64:ff9b:1::/48 and ::/96."""

_CARRIERS: Sequence[tuple[ipaddress.IPv6Network, int]] = [
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),  # RFC 4291, 2.5.5.2: IPv4-mapped
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),  # RFC 6052: NAT64
    (ipaddress.IPv6Network("2002::/16"), 80),  # RFC 3056: 6to4
]
"""Networks whose addresses carry an IPv4 address, and the number of bits after it."""
