"""Who calls: the client's address as far as it can be believed."""

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
