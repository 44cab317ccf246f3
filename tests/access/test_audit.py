"""The audit trail: who did what from where, and that nothing of it goes missing unseen."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from clocks import MovableClock
from hypothesis import given
from hypothesis import strategies as st

from app.access.audit import AuditEntry, AuditFilter
from app.access.audit_export import export_csv, export_json_lines
from app.access.grants import COMMAND_LINE, Actor
from app.assembly import Services
from app.core.errors import InvalidInput
from app.eventlog.read import EventFilter, read_events
from app.eventlog.types import EventType

ADA = Actor("user", uuid4(), "ada@example.test", "192.0.2.7")
DAY = timedelta(days=1)


@pytest.fixture
async def tenant_id(services: Services) -> UUID:
    return (await services.tenants.create("First", "enterprise")).id


async def record(
    services: Services, tenant_id: UUID | None, actor: Actor = ADA, number: int = 1, **facts: object
) -> None:
    for _ in range(number):
        async with services.log.transaction() as transaction:
            await services.audit.record(
                transaction,
                actor,
                EventType.ACCESS_KEY_CREATED,
                tenant_id=tenant_id,
                subject=("api_key", uuid4()),
                facts=facts or {"name": "build"},
                told={"scopes": ["messages:read"]},
            )


async def numbers(services: Services, tenant_id: UUID | None, **wanted: object) -> list[int]:
    page = await services.audit.list(tenant_id, AuditFilter(**wanted))
    return [entry.number for entry in page.entries]


async def test_entry_says_who_did_what_from_where_and_the_event_only_ids(
    services: Services, tenant_id: UUID
) -> None:
    await record(services, tenant_id)
    (entry,) = (await services.audit.list(tenant_id)).entries
    assert (entry.action, entry.actor, entry.number) == ("access.key_created", ADA, 1)
    assert entry.facts == {"name": "build", "scopes": ["messages:read"]}
    events = await read_events(
        services.database, after=0, wanted=EventFilter(tenant_id=tenant_id), limit=10
    )
    assert [event.type for event in events] == ["access.key_created"]
    assert events[0].data == {
        "actor": "user",
        "actor_id": str(ADA.id),
        "scopes": ["messages:read"],
    }


async def test_nothing_is_recorded_when_the_change_fails(
    services: Services, tenant_id: UUID
) -> None:
    with pytest.raises(RuntimeError):
        async with services.log.transaction() as transaction:
            await services.audit.record(
                transaction,
                ADA,
                EventType.ACCESS_KEY_CREATED,
                tenant_id=tenant_id,
                subject=("api_key", uuid4()),
            )
            raise RuntimeError
    assert await numbers(services, tenant_id) == []
    assert (await services.audit.verify(tenant_id)).fault == ""


async def test_chain_is_whole_when_many_write_at_once(services: Services, tenant_id: UUID) -> None:
    other = (await services.tenants.create("Other", "enterprise")).id
    owners = [tenant_id, other, None]
    await asyncio.gather(*(record(services, owner, number=7) for owner in owners * 3))
    for owner in owners:
        assert await numbers(services, owner) == list(range(21, 0, -1))
        verified = await services.audit.verify(owner)
        assert (verified.entries, verified.fault) == (21, "")


@pytest.mark.parametrize(
    ("tampering", "whole", "fault"),
    [
        ("update audit_entry set actor_name = 'eve' where number = 3", 2, "Entry 3 was changed."),
        ("update audit_entry set recorded_at = now() where number = 1", 0, "Entry 1 was changed."),
        ("update audit_entry set facts = '{}' where number = 5", 4, "Entry 5 was changed."),
        ("update audit_entry set actor_address = '' where number = 2", 1, "Entry 2 was changed."),
        ("update audit_entry set hash = '' where number = 4", 3, "Entry 4 was changed."),
        ("delete from audit_entry where number = 3", 2, "Entry 3 is missing."),
        ("delete from audit_entry where number = 1", 0, "Entry 1 is missing."),
        ("delete from audit_entry where number > 3", 3, "What came after entry 3 is missing."),
        ("delete from audit_entry", 0, "What came after entry 0 is missing."),
        (
            """delete from audit_entry where number = 3;
            update audit_entry set number = number - 1 where number > 3""",
            2,
            "Entry 3 was changed.",
        ),
    ],
)
async def test_first_fault_is_named_when_the_rows_were_tampered_with(
    services: Services, tenant_id: UUID, tampering: str, whole: int, fault: str
) -> None:
    await record(services, tenant_id, number=5)
    await services.database.execute(tampering)
    verified = await services.audit.verify(tenant_id)
    assert (verified.entries, verified.fault) == (whole, fault)


async def test_rest_can_be_verified_after_the_oldest_were_removed(
    services: Services, tenant_id: UUID, clock: MovableClock
) -> None:
    await record(services, tenant_id, number=3)
    await record(services, None, number=1)
    clock.moved_seconds = 10 * 86_400
    assert await services.audit.remove_old(20 * DAY) == 0
    await record(services, tenant_id, number=2)
    assert await services.audit.remove_old(5 * DAY) == 4
    assert await numbers(services, tenant_id) == [5, 4]
    await record(services, tenant_id)
    verified = await services.audit.verify(tenant_id)
    assert (verified.entries, verified.fault) == (3, "")
    await services.database.execute("delete from audit_entry where number = 4")
    assert (await services.audit.verify(tenant_id)).fault == "Entry 4 is missing."
    await record(services, None)
    assert await numbers(services, None) == [2]
    assert (await services.audit.verify(None)).fault == ""


async def test_list_goes_on_where_the_page_before_it_ended(
    services: Services, tenant_id: UUID
) -> None:
    await record(services, tenant_id, number=5)
    seen: list[int] = []
    cursor: str | None = None
    while True:
        page = await services.audit.list(tenant_id, cursor=cursor, limit=2)
        seen += [entry.number for entry in page.entries]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [5, 4, 3, 2, 1]
    for wrong in ("x", "-1", "9" * 30, ""):
        with pytest.raises(InvalidInput):
            await services.audit.list(tenant_id, cursor=wrong)


async def test_list_is_narrowed_by_who_what_when_and_where(
    services: Services, tenant_id: UUID, clock: MovableClock
) -> None:
    eve = replace(ADA, name="Eve%_@example.test", address="2001:db8::1")
    await record(services, tenant_id, ADA)
    clock.moved_seconds = 3600
    await record(services, tenant_id, eve)
    await record(services, tenant_id, COMMAND_LINE)
    middle = clock.now() - timedelta(minutes=30)
    assert await numbers(services, tenant_id, who="eve%_") == [2]
    assert await numbers(services, tenant_id, who="EXAMPLE") == [2, 1]
    assert await numbers(services, tenant_id, who="%") == [2]
    assert await numbers(services, tenant_id, what="access.key") == [3, 2, 1]
    assert await numbers(services, tenant_id, what="domain.") == []
    assert await numbers(services, tenant_id, address="192.0.2.") == [1]
    assert await numbers(services, tenant_id, since=middle) == [3, 2]
    assert await numbers(services, tenant_id, until=middle) == [1]
    assert await numbers(services, tenant_id, who="\0") == [3, 2, 1]
    assert await numbers(services, uuid4()) == []


async def read(chunks: AsyncIterator[bytes]) -> str:
    return b"".join([chunk async for chunk in chunks]).decode()


async def test_export_has_every_entry_and_no_formula(services: Services, tenant_id: UUID) -> None:
    formula = Actor("user", None, '=HYPERLINK("http://evil.example")', "")
    await record(services, tenant_id, formula, name='quotes " and,\nlines')
    await record(services, tenant_id, number=2)
    lines = (await read(export_json_lines(services.audit.walk(tenant_id)))).splitlines()
    entries = (await services.audit.list(tenant_id)).entries
    assert [json.loads(line)["hash"] for line in lines] == [entry.hash.hex() for entry in entries]
    table = await read(export_csv(services.audit.walk(tenant_id)))
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert [row["number"] for row in rows] == ["3", "2", "1"]
    assert rows[2]["actor_name"] == "'" + formula.name
    assert json.loads(rows[2]["facts"])["name"] == 'quotes " and,\nlines'


@given(st.text())
def test_cell_of_a_spreadsheet_is_never_a_formula(name: str) -> None:
    async def entries() -> AsyncIterator[AuditEntry]:
        yield replace(_ENTRY, actor=Actor("user", None, name))

    async def export() -> str:
        return await read(export_csv(entries()))

    table = asyncio.run(export())
    for row in csv.reader(io.StringIO(table, newline="")):
        assert not [cell for cell in row if cell.strip(" ")[:1] in tuple("=+-@\t\r\n")]


_ENTRY = AuditEntry(
    id=uuid4(),
    tenant_id=None,
    number=1,
    recorded_at=MovableClock().now(),
    action="access.key_created",
    actor=ADA,
    subject_type="api_key",
    subject_id=uuid4(),
    facts={},
    hash=b"x",
)
