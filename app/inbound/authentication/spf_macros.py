"""Macros in SPF records (RFC 7208, section 7)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import quote

from app.core.dns import Address
from app.inbound.authentication.spf_record import BadRecord

_MACRO = re.compile(r"%(?:\{([A-Za-z])([0-9]*)([Rr]?)([-.+,/_=]*)\}|([%_-]))")
_LITERALS = {"%": "%", "_": " ", "-": "%20"}
_MAX_NAME_CHARS = 253


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, as the SMTP dialogue has it. `domain` is that of MAIL FROM, or of HELO for the
    null reverse-path; all names are in ASCII."""

    address: Address
    helo_name: str
    local_part: str
    domain: str


def uses_client_name(text: str) -> bool:
    """Whether a macro asks for the validated name of the client, which takes further questions."""
    return any((match[1] or "").lower() == "p" for match in _MACRO.finditer(text))


def expand(text: str, sender: Sender, domain: str, client_name: str) -> str:
    """The domain name that `text` stands for, cut from the left where it is too long for one.

    Raises `BadRecord` for a macro that asks for no label at all.
    """
    values = _values(sender, domain, client_name)

    def replace(match: re.Match[str]) -> str:
        letter, digits, reverse, delimiters, literal = match.groups()
        if literal:
            return _LITERALS[literal]
        labels = re.split(f"[{re.escape(delimiters or '.')}]", values[letter.lower()])
        if reverse:
            labels.reverse()
        if digits:
            if int(digits[:4]) == 0:
                raise BadRecord("A macro asks for no label.")
            labels = labels[-int(digits[:4]) :]
        value = ".".join(labels)
        return quote(value, safe="-._~") if letter.isupper() else value

    name = _MACRO.sub(replace, text).removesuffix(".")
    while len(name) > _MAX_NAME_CHARS and "." in name:
        name = name.partition(".")[2]
    return name


def _values(sender: Sender, domain: str, client_name: str) -> Mapping[str, str]:
    is_v6 = isinstance(sender.address, IPv6Address)
    nibbles = ".".join(sender.address.packed.hex())
    return {
        "s": f"{sender.local_part}@{sender.domain}",
        "l": sender.local_part,
        "o": sender.domain,
        "d": domain,
        "i": nibbles if is_v6 else str(sender.address),
        "p": client_name,
        "v": "ip6" if is_v6 else "in-addr",
        "h": sender.helo_name,
    }
