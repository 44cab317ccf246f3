"""Routes: which mailboxes an address leads to, and that the sidecar accepts just these."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.assembly import Services
from app.core.errors import AlreadyExists, InvalidInput, NotFound
from app.directory.mailboxes import Mailbox
from app.directory.recipients import Places, choose_mailboxes
from app.directory.route_patterns import choose_pattern, is_wildcard, matches, parse_route_address
from app.directory.snapshot import (
    DirectorySnapshot,
    DomainEntry,
    MailboxEntry,
    PatternEntry,
    RecipientVerdict,
    resolve_recipient,
)
from app.directory.tenants import Tenant

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
async def tenant(services: Services) -> Tenant:
    tenant = await services.tenants.create("Acme", "developer")
    await services.domains.add("acme.test", tenant.id, vouched=True)
    return tenant


async def add_mailboxes(services: Services, tenant: Tenant, *names: str) -> list[UUID]:
    return [(await services.mailboxes.add(f"{n}@acme.test", tenant.id)).id for n in names]


async def find(services: Services, address: str) -> list[str]:
    found = await services.recipients.find_mailboxes([address])
    return sorted(mailbox.address for mailbox in found.get(address, ()))


async def test_an_alias_leads_to_all_of_its_mailboxes(services: Services, tenant: Tenant) -> None:
    ann, bob = await add_mailboxes(services, tenant, "ann", "bob")
    await services.routes.add("Sales@ACME.test", tenant.id, [ann, bob])
    for address in ("sales@acme.test", "SALES@acme.test", "sales+spring@acme.test"):
        assert await find(services, address) == ["ann@acme.test", "bob@acme.test"]
    assert await find(services, "sale@acme.test") == []


async def test_the_most_exact_of_several_is_taken(services: Services, tenant: Tenant) -> None:
    ann, bob, cleo, dan = await add_mailboxes(services, tenant, "ann", "bob", "cleo", "*")
    await services.routes.add("sales-*@acme.test", tenant.id, [ann])
    await services.routes.add("sales-eu@acme.test", tenant.id, [bob])
    await services.routes.add("sales-eu-*@acme.test", tenant.id, [cleo])
    assert await find(services, "sales-us@acme.test") == ["ann@acme.test"]
    assert await find(services, "sales-eu@acme.test") == ["bob@acme.test"]
    assert await find(services, "sales-eu+x@acme.test") == ["bob@acme.test"]
    assert await find(services, "sales-eu-west@acme.test") == ["cleo@acme.test"]
    assert await find(services, "bob@acme.test") == ["bob@acme.test"]
    assert await find(services, "anyone@acme.test") == ["@acme.test"]
    assert dan


async def test_mail_goes_elsewhere_once_the_route_is_changed(
    services: Services, tenant: Tenant
) -> None:
    ann, bob = await add_mailboxes(services, tenant, "ann", "bob")
    route = await services.routes.add("*@acme.test", tenant.id, [ann])
    changed = await services.routes.change(route.id, tenant.id, [bob, bob])
    assert [target.address for target in changed.targets] == ["bob@acme.test"]
    assert await find(services, "anyone@acme.test") == ["bob@acme.test"]
    await services.routes.remove(route.id, tenant.id)
    assert await find(services, "anyone@acme.test") == []
    with pytest.raises(NotFound):
        await services.routes.remove(route.id, tenant.id)


@pytest.mark.parametrize(
    "address", ["", "sales", "@acme.test", "a b@acme.test", "s*l*s@acme.test", "*@", "x@nowhere"]
)
async def test_what_is_no_address_is_refused(
    services: Services, tenant: Tenant, address: str
) -> None:
    (ann,) = await add_mailboxes(services, tenant, "ann")
    with pytest.raises((InvalidInput, NotFound)):
        await services.routes.add(address, tenant.id, [ann])


async def test_what_has_a_mailbox_or_a_route_is_taken(services: Services, tenant: Tenant) -> None:
    ann, _ = await add_mailboxes(services, tenant, "ann", "*")
    await services.routes.add("sales@acme.test", tenant.id, [ann])
    for address in ("ann@acme.test", "*@acme.test", "SALES@acme.test"):
        with pytest.raises(AlreadyExists):
            await services.routes.add(address, tenant.id, [ann])
    with pytest.raises(AlreadyExists):
        await services.mailboxes.add("sales@acme.test", tenant.id)


async def test_nothing_of_another_tenant_can_be_routed(services: Services, tenant: Tenant) -> None:
    other = await services.tenants.create("Other", "developer")
    await services.domains.add("other.test", other.id, vouched=True)
    theirs = (await services.mailboxes.add("eve@other.test", other.id)).id
    (ann,) = await add_mailboxes(services, tenant, "ann")
    route = await services.routes.add("sales@acme.test", tenant.id, [ann])
    with pytest.raises(InvalidInput):
        await services.routes.add("info@acme.test", tenant.id, [ann, theirs])
    with pytest.raises(NotFound):
        await services.routes.add("info@other.test", tenant.id, [ann])
    for wrong in (theirs, uuid4()):
        with pytest.raises(InvalidInput):
            await services.routes.change(route.id, tenant.id, [wrong])
    with pytest.raises(NotFound):
        await services.routes.change(route.id, other.id, [theirs])
    with pytest.raises(NotFound):
        await services.routes.remove(route.id, other.id)
    with pytest.raises(NotFound):
        await services.routes.find(route.id, other.id)
    assert (await services.routes.list(other.id)).rows == []
    assert await find(services, "sales@acme.test") == ["ann@acme.test"]
    assert await find(services, "info@acme.test") == []


async def test_routes_are_listed_in_pages_and_searched(services: Services, tenant: Tenant) -> None:
    ann, bob = await add_mailboxes(services, tenant, "ann", "bob")
    for number in range(51):
        await services.routes.add(f"list-{number:02}@acme.test", tenant.id, [ann])
    await services.routes.add("sales@acme.test", tenant.id, [bob])
    first = await services.routes.list(tenant.id)
    assert len(first.rows) == 50
    rest = await services.routes.list(tenant.id, cursor=first.next_cursor)
    assert [route.pattern for route in rest.rows] == ["list-50", "sales"]
    assert rest.next_cursor is None
    for words in ("SALES", "bob@", "acme sale"):
        found = await services.routes.list(tenant.id, words=words)
        assert [route.address for route in found.rows] == ["sales@acme.test"]
    with pytest.raises(InvalidInput):
        await services.routes.list(tenant.id, cursor="ours?")


LOCAL_PARTS = st.text("ab+-*", min_size=1, max_size=6)
PATTERNS = LOCAL_PARTS.filter(lambda text: text.count("*") <= 1)


@given(
    mailboxes=st.sets(LOCAL_PARTS, max_size=4),
    catch_all=st.booleans(),
    routes=st.dictionaries(PATTERNS, st.sets(st.integers(0, 3), min_size=1), max_size=6),
    local_part=LOCAL_PARTS,
)
@settings(deadline=None, max_examples=500)
def test_what_the_sidecar_accepts_has_mailboxes_to_go_to(
    mailboxes: set[str], catch_all: bool, routes: dict[str, set[int]], local_part: str
) -> None:
    """And what has none is refused; wherever it goes is a mailbox, so nothing can go in circles."""
    names = [*mailboxes, *([""] if catch_all else [])]
    hosted = {
        f"{name}@a.test": Mailbox(uuid4(), UUID(int=1), f"{name}@a.test", None) for name in names
    }
    ends = [
        Mailbox(UUID(int=number), UUID(int=1), f"end{number}@a.test", None) for number in range(4)
    ]
    targets = {pattern: [ends[each] for each in chosen] for pattern, chosen in routes.items()}
    snapshot = DirectorySnapshot(
        1,
        {"a.test": DomainEntry(catch_all=catch_all)},
        {address: MailboxEntry() for address in hosted},
        {f"{p}@a.test": MailboxEntry() for p in routes if not is_wildcard(p)},
        {"a.test": [PatternEntry(p) for p in routes if is_wildcard(p)]},
    )
    found = choose_mailboxes(f"{local_part}@a.test", Places(hosted, {"a.test": targets}))
    verdict = resolve_recipient(snapshot, f"{local_part}@a.test", NOW)
    assert (verdict is RecipientVerdict.ACCEPT) == bool(found)
    assert {mailbox.id for mailbox in found} <= {m.id for m in (*hosted.values(), *ends)}


@given(PATTERNS.filter(is_wildcard), LOCAL_PARTS)
def test_a_pattern_stands_for_what_its_star_is_replaced_by(pattern: str, text: str) -> None:
    assert matches(pattern, pattern.replace("*", text))
    assert choose_pattern([pattern], [pattern.replace("*", text)]) == pattern
    prefix, suffix = pattern.split("*")
    if matches(pattern, text):
        assert pattern.replace("*", text[len(prefix) : len(text) - len(suffix)]) == text


@given(st.text(max_size=80))
def test_any_text_is_a_route_address_or_refused(text: str) -> None:
    try:
        pattern, domain = parse_route_address(text)
    except InvalidInput:
        return
    assert pattern.count("*") <= 1
    assert parse_route_address(f"{pattern}@{domain}") == (pattern, domain)
