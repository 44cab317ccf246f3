"""The header with which a proxy says whom it speaks for (HAProxy's PROXY protocol, 1 and 2).

aiosmtpd has a reader of its own. It is not used, as it takes a piece for each field from the
stream, knows no bound in version 2, and takes some malformed headers for good ones.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

_MAX_V1_BYTES = 107
_MAX_V2_BYTES = 4096
"""Room for any address and for every extension (TLV) in use; two bytes could say 64 KiB."""

_V1 = b"PROXY "
_V2 = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_FIXED_BYTES = len(_V2) + 4
_V1_LINE = re.compile(
    r"PROXY (?:UNKNOWN(?: [\x20-\x7e]*)?"
    r"|TCP(?P<version>[46]) (?P<source>[0-9A-Fa-f.:]+) (?P<target>[0-9A-Fa-f.:]+)"
    r" (?P<source_port>0|[1-9][0-9]{0,4}) (?P<target_port>0|[1-9][0-9]{0,4}))\Z"
)
_LOCAL, _PROXY = 0x20, 0x21
_UNSPECIFIED, _TCP4, _TCP6 = 0x00, 0x11, 0x21


class BadProxyHeader(Exception):
    """What came is no header, or one that nobody may go on from."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """`client_address` is an IP address, an IPv4 client of an IPv6 socket in its IPv4 form; None
    where the proxy speaks for itself, or does not know. What is behind `size_bytes` is SMTP."""

    client_address: str | None
    size_bytes: int


def parse_proxy_header(received: bytes) -> ProxyHeader | None:
    """The header that `received` begins with; None while it may still become one.

    Raises `BadProxyHeader`.
    """
    if received[: len(_V2)] == _V2[: len(received)]:
        return _parse_v2(received)
    if received[: len(_V1)] == _V1[: len(received)]:
        return _parse_v1(received)
    raise BadProxyHeader("no PROXY header")


def _parse_v1(received: bytes) -> ProxyHeader | None:
    end = received.find(b"\n", 0, _MAX_V1_BYTES)
    if end < 0:
        if len(received) >= _MAX_V1_BYTES:
            raise BadProxyHeader("a line that does not end")
        return None
    line = received[: end + 1].decode("latin-1")
    match = _V1_LINE.match(line[:-2]) if line.endswith("\r\n") else None
    if match is None:
        raise BadProxyHeader("a malformed line")
    if match["version"] is None:
        return ProxyHeader(None, end + 1)
    if max(int(match["source_port"]), int(match["target_port"])) > 65535:
        raise BadProxyHeader("a port out of range")
    address_type = IPv4Address if match["version"] == "4" else IPv6Address
    try:
        address_type(match["target"])
        return ProxyHeader(_show(address_type(match["source"])), end + 1)
    except ValueError as error:
        raise BadProxyHeader("a malformed address") from error


def _parse_v2(received: bytes) -> ProxyHeader | None:
    if len(received) < _V2_FIXED_BYTES:
        return None
    command, family = received[12], received[13]
    size_bytes = _V2_FIXED_BYTES + int.from_bytes(received[14:16], "big")
    if command not in (_LOCAL, _PROXY):
        raise BadProxyHeader("a version or command that is not known")
    if size_bytes > _MAX_V2_BYTES:
        raise BadProxyHeader("a header that is too long")
    if len(received) < size_bytes:
        return None
    if command == _LOCAL or family == _UNSPECIFIED:
        return ProxyHeader(None, size_bytes)
    addresses = received[_V2_FIXED_BYTES:size_bytes]
    if family == _TCP4 and len(addresses) >= 12:
        return ProxyHeader(_show(IPv4Address(addresses[:4])), size_bytes)
    if family == _TCP6 and len(addresses) >= 36:
        return ProxyHeader(_show(IPv6Address(addresses[:16])), size_bytes)
    raise BadProxyHeader("an address that is not of TCP")


def _show(address: IPv4Address | IPv6Address) -> str:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
