"""Who calls: the client's address as far as it can be believed."""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from litestar.connection import ASGIConnection

from app.settings import Networks


def client_address(connection: ASGIConnection[Any, Any, Any, Any], trusted: Networks) -> str:
    """The nearest address that is no proxy of ours.

    `X-Forwarded-For` is believed only as far back as trusted proxies wrote it; with none trusted
    it is the peer's own address.
    """
    peer = connection.client.host if connection.client else ""
    hops = connection.headers.get("x-forwarded-for", "").split(",")
    for hop in reversed([*(hop.strip() for hop in hops if hop.strip()), peer]):
        try:
            if hop not in trusted:
                return hop
        except ValueError:
            break
    return peer


def client_network(connection: ASGIConnection[Any, Any, Any, Any], trusted: Networks) -> str:
    """Whom to count: the client's IPv4 address, or the /64 of its IPv6 one, within which it may
    choose its addresses (RFC 6177)."""
    text = client_address(connection, trusted)
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if not isinstance(address, IPv6Address):
        return text
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
