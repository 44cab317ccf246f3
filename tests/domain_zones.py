"""Three resolvers on loopback that see one zone, and the records of a domain in it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from dns_server import Zone, serving_dns

from app.directory.domain_records import DnsRecord, Purpose
from app.settings import Listen, Servers, Settings


@dataclass
class Zones:
    """What is published in `shared` all resolvers see; each may be made to say something else."""

    shared: Zone
    resolvers: Sequence[Zone]

    def publish(self, records: Sequence[DnsRecord], *purposes: Purpose) -> None:
        """These records, or only those for some purposes."""
        for record in records:
            if purposes and record.purpose not in purposes:
                continue
            if record.type == "TXT":
                self.shared.add_text(record.name, record.value)
            else:
                self.shared.add(record.name, record.type, record.value)

    def fail(self, *, is_down: bool = True) -> None:
        for resolver in self.resolvers:
            resolver.is_down = is_down

    def lie(self, number: int) -> Zone:
        """From now on this resolver knows nothing, but what is added to it."""
        self.resolvers[number].records = {}
        return self.resolvers[number]

    def settings(self, settings: Settings) -> Settings:
        """The same, but with these resolvers, and our own names."""
        addresses = tuple(Listen(*resolver.address) for resolver in self.resolvers)
        return replace(
            settings,
            dns_resolvers=Servers(addresses),
            smtp_hostname="mx.pillarbox.example",
            public_url="https://pillarbox.example",
        )


@asynccontextmanager
async def serving_zones(number: int = 3) -> AsyncIterator[Zones]:
    shared = Zone()
    async with AsyncExitStack() as stack:
        resolvers = [
            await stack.enter_async_context(serving_dns(Zone(records=shared.records)))
            for _ in range(number)
        ]
        yield Zones(shared, resolvers)
