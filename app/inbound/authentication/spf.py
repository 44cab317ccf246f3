"""Sender Policy Framework (RFC 7208): may this client send for this domain?"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TypeVar

from app.core.dns import Address, DnsUnavailable, Resolver
from app.inbound.authentication.results import Finding, Result
from app.inbound.authentication.spf_macros import Sender, expand, uses_client_name
from app.inbound.authentication.spf_record import (
    BadRecord,
    Mechanism,
    SpfRecord,
    is_spf_record,
    parse_record,
)
from app.mime.addresses import normalise_domain, split_address

_T = TypeVar("_T")

# Section 4.6.4.
_MAX_LOOKUPS = 10
_MAX_VOID_LOOKUPS = 2
_MAX_HOSTS = 10

MUTE_REASONS = ("no-client-address", "internal-client")

# Clients inside an installation's own network speak for nobody outside of it.
_INTERNAL = [
    ip_network(block)
    for block in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.168.0.0/16", "::/128", "::1/128", "fc00::/7", "fe80::/10"),
    )
]


def find_why_mute(client_address: str) -> str:
    """Why nothing can be said of this client, one of `MUTE_REASONS`, the second for private and
    loopback addresses; empty where SPF can be asked."""
    address = _parse_client(client_address)
    if address is None:
        return "no-client-address"
    blocks = (block for block in _INTERNAL if block.version == address.version)
    return "internal-client" if any(address in block for block in blocks) else ""


async def check_spf(
    resolver: Resolver, client_address: str, helo_name: str, mail_from: str
) -> Finding:
    """The result for MAIL FROM, or for the HELO name when that is empty (section 2.4); `none` for
    a client of which nothing can be said. Raises `DnsUnavailable`."""
    if reason := find_why_mute(client_address):
        return Finding(Result.NONE, reason=reason)
    address = _parse_client(client_address)
    assert address is not None, "it is not mute"
    helo = normalise_domain(helo_name)
    local_part, domain = split_address(mail_from) if mail_from else ("", helo)
    domain = normalise_domain(domain)
    if "." not in domain:
        return Finding(Result.NONE, reason="no-domain")
    sender = Sender(address, helo, local_part or "postmaster", domain)
    try:
        result = await _Evaluation(resolver, sender).check(domain)
    except BadRecord:
        result = Result.PERMERROR
    return Finding(result, domain)


@dataclass(slots=True)
class _Evaluation:
    """One check_host() with all that it includes; the bounds hold for the whole of it."""

    resolver: Resolver
    sender: Sender
    lookups_left: int = field(default=_MAX_LOOKUPS)
    voids_left: int = field(default=_MAX_VOID_LOOKUPS)

    async def check(self, domain: str) -> Result:
        """Section 4. Raises `BadRecord` for a permanent error."""
        found = [text for text in await self.resolver.texts(domain) if is_spf_record(text)]
        if not found:
            return Result.NONE
        if len(found) > 1:
            raise BadRecord("There are several records.")
        return await self._evaluate(parse_record(found[0]), domain)

    async def _evaluate(self, record: SpfRecord, domain: str) -> Result:
        for mechanism in record.mechanisms:
            if await self._matches(mechanism, domain):
                return mechanism.result
        if not record.redirect:
            return Result.NEUTRAL
        self._count_lookup()
        result = await self.check(await self._expand(record.redirect, domain))
        if result is Result.NONE:
            raise BadRecord("The domain redirected to has no record.")
        return result

    async def _matches(self, mechanism: Mechanism, domain: str) -> bool:
        if mechanism.name == "all":
            return True
        if mechanism.network is not None:
            return (
                mechanism.network.version == self.sender.address.version
                and self.sender.address in mechanism.network
            )
        self._count_lookup()
        target = await self._expand(mechanism.domain, domain) if mechanism.domain else domain
        matchers: Mapping[str, Callable[[Mechanism, str], Awaitable[bool]]] = {
            "include": self._match_include,
            "a": self._match_a,
            "mx": self._match_mx,
            "ptr": self._match_ptr,
            "exists": self._match_exists,
        }
        return await matchers[mechanism.name](mechanism, target)

    async def _match_include(self, _: Mechanism, target: str) -> bool:
        result = await self.check(target)
        if result is Result.NONE:
            raise BadRecord("A domain that is included has no record.")
        return result is Result.PASS

    async def _match_a(self, mechanism: Mechanism, target: str) -> bool:
        return self._is_among(mechanism, await self._addresses(target))

    async def _match_mx(self, mechanism: Mechanism, target: str) -> bool:
        hosts = self._counted(await self.resolver.exchangers(target))
        if len(hosts) > _MAX_HOSTS:
            raise BadRecord("There are too many MX records.")
        for host in hosts:
            if self._is_among(mechanism, await self._addresses(host)):
                return True
        return False

    async def _match_ptr(self, _: Mechanism, target: str) -> bool:
        wanted = target.lower()
        names = await self._validated_names()
        return any(name == wanted or name.endswith(f".{wanted}") for name in names)

    async def _match_exists(self, _: Mechanism, target: str) -> bool:
        return bool(self._counted(await self.resolver.addresses(target, 4)))

    async def _addresses(self, host: str) -> Sequence[Address]:
        return self._counted(await self.resolver.addresses(host, self.sender.address.version))

    def _is_among(self, mechanism: Mechanism, addresses: Sequence[Address]) -> bool:
        is_v6 = self.sender.address.version == 6
        prefix = mechanism.prefix_v6 if is_v6 else mechanism.prefix_v4
        return any(
            self.sender.address in ip_network((address, prefix), strict=False)
            for address in addresses
        )

    async def _validated_names(self) -> Sequence[str]:
        """The names of the client that lead back to it (section 5.5). The DNS failing there means
        no name, not an error."""
        validated: list[str] = []
        try:
            names = self._counted(await self.resolver.names(self.sender.address))
        except DnsUnavailable:
            return ()
        for name in names[:_MAX_HOSTS]:
            try:
                addresses = await self.resolver.addresses(name, self.sender.address.version)
            except DnsUnavailable:
                continue
            if self.sender.address in addresses:
                validated.append(name.lower())
        return validated

    async def _expand(self, text: str, domain: str) -> str:
        if "%" not in text:
            return text.removesuffix(".")
        client_name = "unknown"
        if uses_client_name(text):
            names = await self._validated_names()
            inside = [n for n in names if n == domain or n.endswith(f".{domain}")]
            client_name = next(iter([*inside, *names]), client_name)
        return expand(text, self.sender, domain, client_name)

    def _count_lookup(self) -> None:
        self.lookups_left -= 1
        if self.lookups_left < 0:
            raise BadRecord("Too many lookups.")

    def _counted(self, answers: Sequence[_T]) -> Sequence[_T]:
        """Empty answers are counted, since a record may be made to ask for nothing (4.6.4)."""
        if not answers:
            self.voids_left -= 1
            if self.voids_left < 0:
                raise BadRecord("Too many lookups without an answer.")
        return answers


def _parse_client(client_address: str) -> Address | None:
    try:
        address = ip_address(client_address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
