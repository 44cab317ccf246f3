"""What a sender hears at RCPT while a domain's DNS records come and go, all of it real: three DNS
servers, the checks, the snapshot that follows from them, and an SMTP conversation."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from clocks import MovableClock
from domain_zones import Zones, serving_zones

from app.assembly import Services, assemble
from app.directory.domain_records import Purpose
from app.directory.domains import Domain
from app.directory.snapshot import SnapshotFile, snapshot_path
from app.settings import Settings

NAME = "acme.example"
TXT = f"_pillarbox.{NAME}"


@dataclass
class Post:
    """A sidecar beside an installation, and one recipient of its domain."""

    services: Services
    domain: Domain
    ask: Callable[[str], int]

    async def reply_after_check(self) -> int:
        """What RCPT hears once the sidecar knows what this check came to."""
        await self.services.domain_checks.check(self.domain)
        writer = self.services.snapshot_writer()
        await writer._write_whole()
        return await asyncio.to_thread(self.ask, f"info@{NAME}")


@pytest.fixture
def ask(start_sidecar, settings: Settings, clock: MovableClock) -> Callable[[str], int]:
    sidecar = start_sidecar()

    def code_for(recipient: str) -> int:
        snapshot = SnapshotFile(snapshot_path(settings), clock).current()
        assert snapshot is not None
        sidecar.save_snapshot(snapshot)
        with sidecar.smtp() as client:
            client.ehlo()
            client.mail("s@sender.test")
            return client.rcpt(recipient)[0]

    return code_for


async def test_sender_hears_250_451_and_550_as_the_records_come_and_go(
    settings: Settings, clock: MovableClock, ask: Callable[[str], int]
) -> None:
    async with serving_zones() as zones:
        services = assemble(zones.settings(settings), clock=clock)
        async with services.running():
            tenant = await services.tenants.create("Acme", "enterprise")
            domain = await services.domains.add(NAME, tenant.id, vouched=False)
            await go_through(Post(services, domain, ask), zones, clock)


async def go_through(post: Post, zones: Zones, clock: MovableClock) -> None:
    services, shared = post.services, zones.shared
    records = await services.domain_checks.list_records(post.domain)
    assert await post.reply_after_check() == 550, "not ours"
    zones.publish(records, Purpose.OWNERSHIP, Purpose.MX)
    await services.domain_checks.check(post.domain)
    await services.mailboxes.add(f"info@{NAME}", post.domain.tenant_id)
    assert await post.reply_after_check() == 250

    mx = shared.records.pop((NAME, "MX"))
    shared.add(NAME, "A", "192.0.2.1")
    assert await post.reply_after_check() == 451, "MX lost"
    shared.records[NAME, "MX"] = mx
    assert await post.reply_after_check() == 250, "MX back"

    shared.records[NAME, "MX"] = ["10 elsewhere.example."]
    assert await post.reply_after_check() == 451
    zones.fail()
    clock.moved_seconds += 49 * 3600
    assert await post.reply_after_check() == 451, "nobody saw that it was still gone"
    zones.fail(is_down=False)
    assert await post.reply_after_check() == 550, "48 hours without MX"
    shared.records[NAME, "MX"] = mx
    assert await post.reply_after_check() == 250

    own, kept = (TXT, "TXT"), shared.records[TXT, "TXT"]
    truth = zones.resolvers[2].records
    zones.lie(2)
    assert await post.reply_after_check() == 250, "one of three lies"
    zones.fail()
    assert await post.reply_after_check() == 250, "all are down"
    zones.fail(is_down=False)
    zones.resolvers[2].records = truth
    del shared.records[own]
    assert await post.reply_after_check() == 550, "TXT gone"
    shared.records[own] = kept
    assert await post.reply_after_check() == 250
