"""Which addresses an outgoing call may reach."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Protocol


class AllowList(Protocol):
    """Networks that may be reached although they are not public."""

    def __contains__(self, address: str, /) -> bool: ...


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether `address` belongs to some host on the Internet, and to nothing of ours.

    After the IANA special-purpose address registries (RFC 6890). The standard library's
    `is_global` changes with its version, and takes some of these for public.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    return address in _GLOBAL_UNICAST and not any(address in network for network in _SPECIAL_V6)


def _networks_v4(*networks: str) -> Sequence[IPv4Network]:
    return tuple(map(IPv4Network, networks))


_SPECIAL_V4 = _networks_v4(
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",  # private
    "100.64.0.0/10",  # shared by the customers of a carrier (RFC 6598)
    "127.0.0.0/8",  # loopback
    "168.63.129.16/32",  # the host of a machine in Azure, under a public number
    "169.254.0.0/16",  # link-local, and what tells a machine in a cloud its secrets
    "172.16.0.0/12",  # private
    "192.0.0.0/24",  # protocol assignments
    "192.0.2.0/24",  # documentation
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",  # private
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and broadcast
)

# What lies outside: unspecified, loopback, IPv4-mapped and -compatible, NAT64 (64:ff9b::/96 and
# 64:ff9b:1::/48), discard, unique local, link-local, site-local, multicast, segment routing.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments, and Teredo, which carries an IPv4 address
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4, which carries one too
            "3fff::/20",  # documentation
        ),
    )
)
