"""SPF records, read whole before anything of them is evaluated (RFC 7208, sections 4.5, 5 to 7)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from app.core.errors import PillarboxError
from app.inbound.authentication.results import Result

_QUALIFIERS = {
    "+": Result.PASS,
    "-": Result.FAIL,
    "~": Result.SOFTFAIL,
    "?": Result.NEUTRAL,
}
_TERM = re.compile(r"([+?~-]?)([A-Za-z][A-Za-z0-9_.-]*)([:/=].*)?", re.S)
_PREFIX_LENGTHS = re.compile(r"(.*?)(?:/(0|[1-9]\d?))?(?://(0|[1-9]\d{0,2}))?", re.S)
_PLAIN_NETWORK = re.compile(r"[0-9A-Fa-f.:]+(?:/(?:0|[1-9]\d{0,2}))?")
_MACRO = r"%(?:\{[SLODIPHCRTVslodiphcrtv][0-9]*[Rr]?[-.+,/_=]*\}|[%_-])"
_MACRO_STRING = re.compile(rf"(?:[!-$&-~]|{_MACRO})*")
_MACRO_AT_END = re.compile(rf"{_MACRO}\Z")
_TOP_LABEL = re.compile(r"(?=.{1,63}\Z)(?=.*[A-Za-z-])[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
# Letters that only an explanation may use.
_EXPLANATION_ONLY = re.compile(r"%\{[CRTcrt]")
_MAX_TERMS = 500


class BadRecord(PillarboxError):
    """The record breaks the syntax: its whole is a permanent error."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """`domain` may hold macros and is empty for the domain of the record itself. `network` is that
    of `ip4` and `ip6`. The prefix lengths, in bits, are those of `a` and `mx`."""

    name: str
    result: Result
    domain: str = ""
    network: IPv4Network | IPv6Network | None = None
    prefix_v4: int = 32
    prefix_v6: int = 128


@dataclass(frozen=True, slots=True)
class SpfRecord:
    mechanisms: Sequence[Mechanism]
    redirect: str


def is_spf_record(text: bytes) -> bool:
    return text[:7].lower() == b"v=spf1 " or text.lower() == b"v=spf1"


def parse_record(text: bytes) -> SpfRecord:
    """Raises `BadRecord` for anything that is not as the grammar says."""
    try:
        terms = text.decode("ascii").split(" ")[1:]
    except UnicodeDecodeError as error:
        raise BadRecord("The record is not ASCII.") from error
    if len(terms) > _MAX_TERMS:
        raise BadRecord("The record has too many terms.")
    mechanisms: list[Mechanism] = []
    modifiers: dict[str, str] = {}
    for term in terms:
        match = _TERM.fullmatch(term)
        if not term:
            continue
        if match is None:
            raise BadRecord("A term is neither a mechanism nor a modifier.")
        qualifier, name, rest = match[1], match[2].lower(), match[3] or ""
        if rest.startswith("="):
            _add_modifier(modifiers, qualifier, name, rest[1:])
        else:
            mechanisms.append(_parse_mechanism(name, _QUALIFIERS[qualifier or "+"], rest))
    return SpfRecord(mechanisms, modifiers.get("redirect", ""))


def _add_modifier(modifiers: dict[str, str], qualifier: str, name: str, value: str) -> None:
    """Unknown modifiers are ignored, once their syntax was seen to be right (section 6)."""
    if qualifier or not _MACRO_STRING.fullmatch(value):
        raise BadRecord("A modifier is malformed.")
    if name in ("redirect", "exp"):
        if name in modifiers:
            raise BadRecord(f"{name} stands twice.")
        modifiers[name] = _domain_spec(value)


def _parse_mechanism(name: str, result: Result, rest: str) -> Mechanism:
    if name == "all" and not rest:
        return Mechanism(name, result)
    if name in ("include", "exists") and rest.startswith(":"):
        return Mechanism(name, result, _domain_spec(rest[1:]))
    if name == "ptr" and rest[:1] in ("", ":"):
        return Mechanism(name, result, _domain_spec(rest[1:]) if rest else "")
    if name in ("ip4", "ip6") and rest.startswith(":"):
        return Mechanism(name, result, network=_parse_network(name, rest[1:]))
    if name in ("a", "mx"):
        return _parse_hosts(name, result, rest)
    raise BadRecord("A mechanism is unknown or malformed.")


def _parse_hosts(name: str, result: Result, rest: str) -> Mechanism:
    match = _PREFIX_LENGTHS.fullmatch(rest)
    assert match is not None, "every part of the pattern is optional"
    domain, prefix_v4, prefix_v6 = match[1], int(match[2] or 32), int(match[3] or 128)
    if prefix_v4 > 32 or prefix_v6 > 128 or (domain and not domain.startswith(":")):
        raise BadRecord("A mechanism is malformed.")
    return Mechanism(
        name,
        result,
        _domain_spec(domain[1:]) if domain else "",
        prefix_v4=prefix_v4,
        prefix_v6=prefix_v6,
    )


def _parse_network(name: str, text: str) -> IPv4Network | IPv6Network:
    try:
        if not _PLAIN_NETWORK.fullmatch(text):
            raise ValueError(text)
        network = ip_network(text, strict=False)
    except ValueError as error:
        raise BadRecord(f"{name} has no network.") from error
    if network.version != int(name[-1]):
        raise BadRecord(f"{name} has a network of the other version.")
    return network


def _domain_spec(text: str) -> str:
    """Section 7.1: macros anywhere, and at the end a macro or a top label."""
    if _EXPLANATION_ONLY.search(text):
        raise BadRecord("A macro stands where it may not.")
    _, dot, top_label = text.removesuffix(".").rpartition(".")
    ends_well = _MACRO_AT_END.search(text) or (dot and _TOP_LABEL.fullmatch(top_label))
    if not (ends_well and _MACRO_STRING.fullmatch(text)):
        raise BadRecord("A domain is malformed.")
    return text
