"""Domains checked against three real DNS servers on loopback, by a clock that is moved."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from clocks import MovableClock
from domain_zones import Zones, serving_zones

from app.assembly import Services, assemble
from app.core.errors import InUse, InvalidInput, NotFound
from app.directory.check_history import KEPT, Check, CheckOutcome
from app.directory.domain_policy import DomainChange, DomainStatus
from app.directory.domain_records import Purpose
from app.directory.domains import Domain
from app.directory.sightings import RecordState
from app.directory.tenants import Tenant
from app.eventlog.read import EventFilter, read_events
from app.settings import Settings
from app.storage.sealed_columns import DOMAIN_SIGNING_KEY
from workers.schedule import check_domains

NAME = "acme.example"
PENDING, VERIFIED, SOFT, SUSPENDED = DomainStatus


@pytest.fixture
async def zones() -> AsyncIterator[Zones]:
    async with serving_zones() as zones:
        yield zones


@pytest.fixture
async def services(
    settings: Settings, clock: MovableClock, zones: Zones
) -> AsyncIterator[Services]:
    services = assemble(zones.settings(settings), clock=clock)
    async with services.running():
        yield services


@pytest.fixture
async def tenant(services: Services) -> Tenant:
    tenant = await services.tenants.create("Acme", "enterprise")
    for name in ("ada", "ben"):
        await services.users.add(f"{name}@else.example", tenant.id, "owner")
    await services.users.add("cy@else.example", tenant.id, "admin")
    return tenant


@pytest.fixture
async def domain(services: Services, tenant: Tenant) -> Domain:
    return await services.domains.add(NAME, tenant.id, vouched=False)


@pytest.fixture
async def verified(services: Services, zones: Zones, domain: Domain) -> Domain:
    """With all its records, and every notice of that sent."""
    zones.publish(await services.domain_checks.list_records(domain))
    assert (await services.domain_checks.check(domain)).status is VERIFIED
    await services.database.execute("delete from owner_notice")
    return domain


async def check(services: Services, domain: Domain) -> Check:
    return await services.domain_checks.check(domain)


async def told(services: Services, domain: Domain) -> Sequence[str]:
    events = await read_events(services.database, after=0, wanted=EventFilter(), limit=1000)
    return [event.type for event in events if event.subject_id == domain.id]


async def addressees(services: Services) -> Sequence[tuple[str, str]]:
    notices = await services.owner_notices.claim(100)
    return sorted((notice.news.change, notice.email) for notice in notices)


async def receivers(services: Services, address: str) -> Sequence[UUID]:
    found = await services.recipients.find_mailboxes([address])
    return [mailbox.id for mailbox in found.get(address, ())]


async def test_domain_is_verified_once_its_records_are_there(
    services: Services, zones: Zones, domain: Domain
) -> None:
    first = await check(services, domain)
    assert (first.status, first.outcome) == (PENDING, CheckOutcome.CONCLUDED)
    assert {sighting.state for sighting in first.sightings} == {RecordState.MISSING}
    zones.publish(await services.domain_checks.list_records(domain))
    zones.shared.add("pillarbox.example", "A", "192.0.2.1")
    second = await check(services, domain)
    assert (second.status, second.changes) == (VERIFIED, (DomainChange.VERIFIED,))
    assert {sighting.state for sighting in second.sightings} == {RecordState.FOUND}
    assert await told(services, domain) == ["domain.verified"]
    owners = ("ada@else.example", "ben@else.example")
    assert await addressees(services) == [("verified", owner) for owner in owners]
    assert await addressees(services) == [], "a notice is leased to one sender"


async def test_domain_waits_for_its_mx_with_451_once_it_is_known_whose_it_is(
    services: Services, zones: Zones, domain: Domain, clock: MovableClock
) -> None:
    records = await services.domain_checks.list_records(domain)
    zones.publish(records, Purpose.OWNERSHIP)
    zones.shared.add(NAME, "A", "192.0.2.1")
    assert (await check(services, domain)).status is SOFT, "an address is no MX"
    clock.moved_seconds += 30 * 86_400
    assert (await check(services, domain)).status is SOFT
    zones.publish(records, Purpose.MX)
    assert (await check(services, domain)).status is VERIFIED
    assert await told(services, domain) == ["domain.verified", "domain.mx_recovered"]


async def test_domain_goes_through_the_loss_of_its_mx_and_of_its_txt(
    services: Services, zones: Zones, verified: Domain, clock: MovableClock
) -> None:
    lost = zones.shared.records.pop((NAME, "MX"))
    assert (await check(services, verified)).status is SOFT
    zones.shared.records[NAME, "MX"] = lost
    assert (await check(services, verified)).status is VERIFIED
    zones.shared.remove(NAME, "MX")
    assert (await check(services, verified)).status is SOFT
    clock.moved_seconds += 48 * 3600 - 60
    assert (await check(services, verified)).status is SOFT
    clock.moved_seconds += 61
    assert (await check(services, verified)).status is SUSPENDED
    assert (await check(services, verified)).changes == ()
    zones.shared.records[NAME, "MX"] = lost
    assert (await check(services, verified)).status is VERIFIED
    zones.shared.remove(f"_pillarbox.{NAME}", "TXT")
    assert (await check(services, verified)).status is SUSPENDED
    assert (await told(services, verified))[1:] == [
        *("domain.mx_lost", "domain.mx_recovered", "domain.mx_lost", "domain.suspended"),
        *("domain.mx_recovered", "domain.suspended"),
    ]
    changes = [change for change, owner in await addressees(services) if owner.startswith("ada")]
    assert sorted(changes) == sorted(["mx_lost", "mx_recovered", "suspended"] * 2)


async def test_nothing_changes_while_the_dns_is_down(
    services: Services, zones: Zones, verified: Domain, clock: MovableClock
) -> None:
    zones.fail()
    clock.moved_seconds += 7 * 86_400
    down = await check(services, verified)
    assert (down.status, down.outcome) == (VERIFIED, CheckOutcome.UNKNOWN)
    zones.fail(is_down=False)
    for resolver in zones.resolvers:
        resolver.failing |= {NAME, f"_pillarbox.{NAME}"}
    assert (await check(services, verified)).status is VERIFIED
    assert await told(services, verified) == ["domain.verified"]


async def test_one_resolver_that_lies_suspends_nobody(
    services: Services, zones: Zones, verified: Domain
) -> None:
    zones.lie(1)
    seen = await check(services, verified)
    assert (seen.status, seen.outcome) == (VERIFIED, CheckOutcome.CONCLUDED)
    by = [*seen.sightings[0].by.values()]
    assert by == [RecordState.FOUND, RecordState.MISSING, RecordState.FOUND]
    zones.resolvers[2].is_down = True
    seen = await check(services, verified)
    assert (seen.status, seen.outcome) == (VERIFIED, CheckOutcome.UNKNOWN)


async def test_one_resolver_that_lies_verifies_nobody(
    services: Services, zones: Zones, domain: Domain
) -> None:
    liar = zones.lie(0)
    for record in await services.domain_checks.list_records(domain):
        if record.purpose is Purpose.OWNERSHIP:
            liar.add_text(record.name, record.value)
        elif record.purpose is Purpose.MX:
            liar.add(record.name, "MX", record.value)
    assert (await check(services, domain)).status is PENDING


async def test_mx_that_is_an_alias_of_ours_counts(
    services: Services, zones: Zones, verified: Domain
) -> None:
    zones.shared.records[NAME, "MX"] = ["10 mail.acme.example."]
    zones.shared.add("mail.acme.example", "CNAME", "mx.pillarbox.example.")
    zones.shared.add("mx.pillarbox.example", "A", "192.0.2.1")
    assert (await check(services, verified)).status is VERIFIED
    zones.shared.records["mail.acme.example", "CNAME"] = ["elsewhere.example."]
    assert (await check(services, verified)).status is SOFT


async def test_vouched_domain_stays_what_it_is(services: Services, tenant: Tenant) -> None:
    domain = await services.domains.add(NAME, tenant.id, vouched=True)
    seen = await check(services, domain)
    assert (seen.status, seen.sightings[0].state) == (VERIFIED, RecordState.MISSING)
    assert await check_domains({"services": services}) == 0


async def test_due_domains_are_checked_by_the_clock(
    services: Services, zones: Zones, domain: Domain, clock: MovableClock
) -> None:
    assert await check_domains({"services": services}) == 1
    assert await check_domains({"services": services}) == 0
    zones.publish(await services.domain_checks.list_records(domain))
    clock.moved_seconds += 61
    assert await check_domains({"services": services}) == 1
    found = await services.domains.find_by_id(domain.id, domain.tenant_id)
    assert found.status is VERIFIED
    assert found.next_check_at is not None
    assert found.next_check_at - services.clock.now() > timedelta(minutes=40)


async def test_history_keeps_what_was_seen_and_is_bounded(
    services: Services, zones: Zones, verified: Domain
) -> None:
    for _ in range(3):
        await check(services, verified)
    newest, first = await services.domain_checks.list_checks(verified)
    assert (newest.times, newest.changes, newest.status) == (3, [], VERIFIED)
    assert first.changes == [DomainChange.VERIFIED]
    assert first.sightings[0].seen == [f"pillarbox-verification={verified.verification_token}"]
    await services.database.execute(
        """insert into domain_check (id, tenant_id, domain_id, status, changes, outcome, sightings,
            first_at, last_at)
        select gen_random_uuid(), tenant_id, domain_id, status, changes, outcome, sightings,
            first_at, last_at from domain_check, generate_series(1, 200)"""
    )
    zones.shared.remove(NAME, "MX")
    await check(services, verified)
    assert len(await services.domain_checks.list_checks(verified, 1000)) == KEPT


async def test_second_tenant_gets_a_domain_only_once_its_holder_lost_it(
    services: Services, zones: Zones, verified: Domain
) -> None:
    mailbox = await services.mailboxes.add(f"info@{NAME}", verified.tenant_id)
    other = await services.tenants.create("Other", "enterprise")
    await services.users.add("zoe@else.example", other.id, "owner")
    theirs = await services.domains.add(NAME, other.id, vouched=False)
    records = await services.domain_checks.list_records(theirs)
    zones.publish(records, Purpose.OWNERSHIP)
    seen = await check(services, theirs)
    assert (seen.status, seen.outcome) == (PENDING, CheckOutcome.HELD_ELSEWHERE)
    assert await check_domains({"services": services}) == 1, "its holder is checked at once"
    own = (f"_pillarbox.{NAME}", "TXT")
    zones.shared.records[own] = [
        text for text in zones.shared.records[own] if verified.verification_token not in text
    ]
    assert (await check(services, theirs)).outcome is CheckOutcome.HELD_ELSEWHERE
    assert (await check(services, verified)).status is SUSPENDED
    assert (await check(services, theirs)).status is VERIFIED
    assert (await services.domains.find_receiving(NAME)).tenant_id == other.id
    assert "domain.released" in await told(services, verified)

    assert await receivers(services, mailbox.address) == [], "its mail is not for them"
    new = await services.mailboxes.add(mailbox.address, other.id)
    assert await receivers(services, mailbox.address) == [new.id]
    assert (await services.mailboxes.find(mailbox.address, verified.tenant_id)).id == mailbox.id


async def test_domain_that_comes_back_has_its_mailboxes_again(
    services: Services, zones: Zones, verified: Domain
) -> None:
    kept = await services.mailboxes.add(f"info@{NAME}", verified.tenant_id)
    own, ours = (f"_pillarbox.{NAME}", "TXT"), zones.shared.records[f"_pillarbox.{NAME}", "TXT"]
    other = await services.tenants.create("Other", "enterprise")
    theirs = await services.domains.add(NAME, other.id, vouched=False)
    zones.shared.remove(*own)
    zones.publish(await services.domain_checks.list_records(theirs), Purpose.OWNERSHIP)
    for domain in (verified, theirs):
        await check(services, domain)
    assert await receivers(services, kept.address) == []
    zones.shared.records[own] = ours
    for domain in (theirs, verified):
        await check(services, domain)
    assert await receivers(services, kept.address) == [kept.id]


async def test_signing_key_is_made_once_and_sealed(services: Services, domain: Domain) -> None:
    first = await services.domain_checks.list_records(domain)
    assert await services.domain_checks.list_records(domain) == first
    row = await services.database.fetch_one("select * from domain_signing_key")
    assert row is not None
    context = DOMAIN_SIGNING_KEY.context(row["id"])
    assert "PRIVATE KEY" in services.keyring.decrypt(row["private_key_sealed"], context)


async def test_domain_is_removed_with_what_was_seen_but_not_with_mailboxes(
    services: Services, verified: Domain
) -> None:
    await services.mailboxes.add(f"info@{NAME}", verified.tenant_id)
    with pytest.raises(InUse, match="still has mailboxes"):
        await services.domains.remove(verified)
    await services.database.execute("delete from mailbox")
    await services.domains.remove(verified)
    with pytest.raises(NotFound):
        await services.domains.find_by_id(verified.id, verified.tenant_id)
    with pytest.raises(NotFound):
        await check(services, verified)
    assert "domain.removed" in await told(services, verified)


async def test_tenant_has_a_bounded_number_of_domains_that_wait(
    services: Services, domain: Domain
) -> None:
    await services.database.execute(
        """insert into domain (id, tenant_id, name, status, verification_token, created_at)
        select gen_random_uuid(), tenant_id, 'd' || number || '.example', 'pending', '', now()
        from domain, generate_series(2, 100) as number"""
    )
    with pytest.raises(InvalidInput, match="wait to be verified"):
        await services.domains.add("one.example", domain.tenant_id, vouched=False)
    await services.domains.add("two.example", domain.tenant_id, vouched=True)
