"""The origin of a request, for bounds per client. A subscriber has too many IPv6 addresses to count them one by one."""

import ipaddress

_LONGEST_ORIGIN = 64
_IPV6_HOST_BITS = 64
"""A subscriber has at least a /64 of IPv6 (RFC 6177), that is 2^64 addresses."""


def origin_of(address: str) -> str:
    """The name under which a client is counted: its IPv4 address, or the /64 of its IPv6 address."""
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
