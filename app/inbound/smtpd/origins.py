"""Where a connection comes from, as limits see it: one host, and one network of hosts."""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from app.settings import Networks

_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Origin:
    """`host` is an IPv4 address or an IPv6 /64, as one customer has a whole /64 to choose from;
    `network` an IPv4 /24 or an IPv6 /48. A `trusted` origin is counted, and never refused for
    what it is counted for."""

    address: str
    host: str
    network: str
    trusted: bool = False


class Origins:
    """Tells the origin of an address. `trusted` are the networks of our own relays."""

    def __init__(self, trusted: Networks) -> None:
        self._trusted = trusted
        # A busy relay connects thousands of times a second from one address.
        self.find = lru_cache(_REMEMBERED)(self._find)

    def _find(self, address: str) -> Origin:
        try:
            parsed = ip_address(address)
        except ValueError:  # No address is known of a client that left at once.
            return Origin(address, address, address)
        trusted = address in self._trusted
        if isinstance(parsed, IPv4Address):
            return Origin(address, address, _network(parsed, 24), trusted)
        return Origin(address, _network(parsed, 64), _network(parsed, 48), trusted)


def _network(address: IPv4Address | IPv6Address, prefix_length: int) -> str:
    plain = str(address).partition("%")[0]  # fe80::1%eth0 names an interface, too (RFC 4007).
    return str(ip_network(f"{plain}/{prefix_length}", strict=False))
