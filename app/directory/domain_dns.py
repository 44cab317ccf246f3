"""Asking the DNS for the records of a domain, each of several resolvers for itself."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from app.core.dns import DnsUnavailable, Resolver
from app.directory.domain_records import DnsRecord
from app.directory.sightings import Seen, Sighting, agree, compare

# Whoever publishes hundreds of MX records is not to have us ask for each of them.
_FOLLOWED = 10


@dataclass(frozen=True, slots=True)
class DomainDns:
    """Resolvers by name, which keep no answers: what is shown as seen was seen just now."""

    resolvers: Mapping[str, Resolver]

    async def look(self, records: Sequence[DnsRecord]) -> Sequence[Sighting]:
        """What all resolvers together see of each record. Raises nothing: what could not be found
        out is unknown."""
        sighted = await asyncio.gather(
            *(_look_through(resolver, records) for resolver in self.resolvers.values())
        )
        return [
            agree(record, dict(zip(self.resolvers, seen, strict=True)))
            for record, *seen in zip(records, *sighted, strict=True)
        ]


async def _look_through(
    resolver: Resolver, records: Sequence[DnsRecord]
) -> Sequence[Sighting | None]:
    return await asyncio.gather(*(_look_for(resolver, record) for record in records))


async def _look_for(resolver: Resolver, record: DnsRecord) -> Sighting | None:
    """None when this resolver did not answer."""
    try:
        if record.type == "MX":
            answer = await _ask_for_hosts(resolver, record)
        elif record.type == "TXT":
            answer = await _ask_for_texts(resolver, record)
        else:
            answer = await _ask_for_addresses(resolver, record)
    except DnsUnavailable:
        return None
    return compare(record, answer)


async def _ask_for_texts(resolver: Resolver, record: DnsRecord) -> Sequence[Seen]:
    texts = [text.decode("utf-8", "replace") for text in await resolver.texts(record.name)]
    return [Seen(text, text) for text in sorted(texts)]


async def _ask_for_hosts(resolver: Resolver, record: DnsRecord) -> Sequence[Seen]:
    """The hosts of the MX records, where aliases are followed although RFC 2181, section 10.3,
    forbids them: most senders follow them, too."""
    wanted = record.value.split()[-1].removesuffix(".")
    hosts = [host.lower() for host in await resolver.exchangers(record.name)]
    if wanted in hosts:
        return [Seen(host, host) for host in hosts]
    ends = await asyncio.gather(*(resolver.follow_aliases(host) for host in hosts[:_FOLLOWED]))
    return [Seen(host, end.lower()) for host, end in zip(hosts, ends, strict=False)]


async def _ask_for_addresses(resolver: Resolver, record: DnsRecord) -> Sequence[Seen]:
    """Addresses; those of the host that the record should lead to count as that host."""
    wanted = record.value.removesuffix(".")
    there, ours = await asyncio.gather(
        _addresses(resolver, record.name), _addresses(resolver, wanted)
    )
    return [Seen(address, wanted if address in ours else address) for address in there]


async def _addresses(resolver: Resolver, name: str) -> Sequence[str]:
    try:
        return [str(ip_address(name))]
    except ValueError:
        found = await asyncio.gather(resolver.addresses(name, 4), resolver.addresses(name, 6))
        return sorted(str(address) for addresses in found for address in addresses)
