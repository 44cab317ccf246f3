"""Asking the DNS (RFC 1035) within bounds of time and memory."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver
import dns.reversename

from app.core.errors import Unavailable

Address = IPv4Address | IPv6Address

_SECONDS_PER_TRY = 0.6
_SECONDS_PER_QUESTION = 1.4
_MAX_CACHED_ANSWERS = 2000
# What passes every path unfragmented (DNS flag day 2020).
_MAX_DATAGRAM_BYTES = 1232

_NO_SUCH_THING = (
    dns.resolver.NXDOMAIN,
    dns.resolver.NoAnswer,
    dns.resolver.YXDOMAIN,
    dns.name.LabelTooLong,
    dns.name.NameTooLong,
    dns.name.EmptyLabel,
    dns.name.BadEscape,
)


class DnsUnavailable(Unavailable):
    """No server gave an answer in time, or all of them failed."""


def system_servers() -> Sequence[tuple[str, int]]:
    """The servers that this machine asks; none when it does not say."""
    try:
        configured = dns.asyncresolver.Resolver().nameservers
    except dns.resolver.NoResolverConfiguration:
        return ()
    return [(str(server), 53) for server in configured]


class Resolver:
    """Questions to recursive servers; answers are kept for as long as they say, a bounded number.

    A name that does not exist, has no such record or is no name gives an empty sequence. Names are
    in ASCII, those in answers without their final dot. Every method raises `DnsUnavailable`, after
    one and a half seconds at most unless it was made otherwise.
    """

    def __init__(
        self,
        servers: Sequence[tuple[str, int]] = (),
        *,
        keeps_answers: bool = True,
        seconds_per_question: float = _SECONDS_PER_QUESTION,
    ) -> None:
        """`servers` are addresses with ports; without any, those of the system are asked."""
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        except dns.resolver.NoResolverConfiguration:
            self._resolver = dns.asyncresolver.Resolver(configure=False)
        if servers:
            self._resolver.nameservers = [
                dns.nameserver.Do53Nameserver(host, port) for host, port in servers
            ]
        self._resolver.timeout = _SECONDS_PER_TRY
        self._resolver.lifetime = seconds_per_question
        if keeps_answers:
            self._resolver.cache = dns.resolver.LRUCache(_MAX_CACHED_ANSWERS)
        self._resolver.use_edns(0, 0, _MAX_DATAGRAM_BYTES)

    async def texts(self, name: str) -> Sequence[bytes]:
        """The TXT records, the strings of each joined."""
        return [b"".join(record.strings) for record in await self._ask(name, "TXT")]

    async def addresses(self, name: str, version: int) -> Sequence[Address]:
        """The A records for version 4, the AAAA records for version 6."""
        records = await self._ask(name, "A" if version == 4 else "AAAA")
        return [ip_address(record.address) for record in records]

    async def exchangers(self, name: str) -> Sequence[str]:
        """The hosts of the MX records, those to be tried first in front."""
        records = await self._ask(name, "MX")
        records = sorted(records, key=lambda record: (record.preference, record.exchange))
        return [_text(record.exchange) for record in records]

    async def follow_aliases(self, name: str) -> str:
        """The name at the end of the CNAME records that begin at `name`; itself without any."""
        try:
            return _text(await self._resolver.canonical_name(dns.name.from_text(name)))
        except _NO_SUCH_THING:
            return name
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            raise DnsUnavailable(f"The DNS does not answer for {name[:253]}.") from error

    async def names(self, address: Address) -> Sequence[str]:
        """The PTR records of an address."""
        reverse = dns.reversename.from_address(str(address)).to_text()
        return [_text(record.target) for record in await self._ask(reverse, "PTR")]

    async def _ask(self, name: str, kind: str) -> Sequence[Any]:
        try:
            absolute = dns.name.from_text(name)
            return list(await self._resolver.resolve(absolute, kind, search=False))
        except _NO_SUCH_THING:
            return ()
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            raise DnsUnavailable(f"The DNS does not answer for {kind} {name[:253]}.") from error


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)
