"""Whose an address is, for bounds that hold for each client: of IPv6 a subscriber has more addresses than can be counted."""

import ipaddress

_LONGEST_ORIGIN = 64
_IPV6_HOST_BITS = 64
"""A subscriber has a /64 of IPv6 (RFC 6177), and so as many addresses as he likes."""


def origin_of(address: str) -> str:
    """What clients are counted by: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:_LONGEST_ORIGIN] or "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    network = int(parsed) >> _IPV6_HOST_BITS << _IPV6_HOST_BITS
    return f"{ipaddress.IPv6Address(network)}/{_IPV6_HOST_BITS}"
