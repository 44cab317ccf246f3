"""Trace fields, which stand on top of a message as we received it (RFC 5321, section 4.4)."""

import re
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from uuid import UUID

_LINE_CHARS = 78
_MAX_NAME_CHARS = 255
_MAX_PATH_CHARS = 900

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._:\[\]-]")
_NOT_IN_COMMENTS = re.compile(r"[^A-Za-z0-9 ._:=/-]")
_NOT_IN_PATHS = re.compile("[\x00-\x1f\x7f-\x9f<>\ud800-\udfff]")


def return_path_field(mail_from: str) -> bytes:
    """`Return-Path:` for an address as MAIL FROM gave it; empty is the null reverse-path."""
    return f"Return-Path: <{_NOT_IN_PATHS.sub('', mail_from)[:_MAX_PATH_CHARS]}>\r\n".encode()


def received_field(
    *,
    client_name: str,
    client_address: str,
    hostname: str,
    protocol: str,
    item_id: UUID,
    received_at: datetime,
    tls: str = "",
) -> bytes:
    """`Received:` in ASCII, folded under 78 columns where its words allow it.

    `client_name` is what the client called itself: what no name can hold is shown as `?`, so that
    nothing it says can end the line, the clause or a comment. `protocol` is the keyword of
    RFC 3848 or, for SMTPUTF8, RFC 6531, section 4.3. `tls` names version and cipher. `received_at`
    has a zone. There is no `for` clause: it would tell one recipient about another.
    """
    begun = _way(client_name, client_address, hostname, protocol, tls)
    date = _date(received_at.replace(microsecond=0))
    return f"{_fold(_fold(begun, f'id {item_id};'), date)}\r\n".encode("ascii")


@lru_cache(maxsize=1024)
def _way(client_name: str, client_address: str, hostname: str, protocol: str, tls: str) -> str:
    """What all messages of one connection have in common."""
    field = f"Received: from {_name(client_name)}{_tcp_info(client_address)}"
    field = _fold(field, f"by {_name(hostname)}")
    return _fold(field, f"with {_name(protocol)}{_comment(tls)}")


def _name(text: str) -> str:
    return _NOT_IN_NAMES.sub("?", text[:_MAX_NAME_CHARS]) or "unknown"


def _comment(text: str) -> str:
    return f" ({_NOT_IN_COMMENTS.sub('?', text[:_MAX_NAME_CHARS])})" if text else ""


@lru_cache(maxsize=1)
def _date(second: datetime) -> str:
    return format_datetime(second)


def _tcp_info(client_address: str) -> str:
    """The address that we saw, as an address literal (RFC 5321, section 4.1.3)."""
    try:
        address = ip_address(client_address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return f" ([{mapped}])" if mapped else f" ([IPv6:{address}])"
    return f" ([{address}])"


def _fold(field: str, clause: str) -> str:
    """The field with one more clause, on its last line where it fits there."""
    line_chars = len(field) - (field.rfind("\n") + 1)
    fits = line_chars + 1 + len(clause) < _LINE_CHARS
    return f"{field} {clause}" if fits else f"{field}\r\n\t{clause}"
