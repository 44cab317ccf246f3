"""A write named by a key is carried out once, and all of it or nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from clocks import MovableClock
from cryptography.exceptions import InvalidTag

from app.access.idempotency import Answer, Call, KeyReused, KeyTaken, StillRunning
from app.assembly import Services
from app.core.errors import AlreadyExists, NotFound
from app.core.secrets import Secret
from app.eventlog.read import EventFilter, read_events

SECRET = "0123456789abcdef" * 4


@pytest.fixture
async def call(services: Services) -> Call:
    tenant = await services.tenants.create("Example", "developer")
    await services.domains.add("example.test", tenant.id, vouched=True)
    return Call(tenant.id, uuid4(), Secret(SECRET), "POST", "/api/v1/mailboxes", "a-key", b"body")


def adding(
    services: Services, tenant_id: UUID, address: str, status: int = 201
) -> Callable[[], Awaitable[Answer]]:
    async def work() -> Answer:
        mailbox = await services.mailboxes.add(address, tenant_id)
        return Answer(status, [("content-type", "text/plain")], f"{SECRET} {mailbox.id}".encode())

    return work


async def addresses(services: Services) -> list[str]:
    rows = await services.database.fetch("select address from mailbox order by address")
    return [row["address"] for row in rows]


async def event_types(services: Services) -> list[str]:
    events = await read_events(services.database, after=0, wanted=EventFilter(), limit=100)
    return [event.type for event in events if event.type.startswith("mailbox.")]


async def test_answer_comes_again_when_the_call_does(services: Services, call: Call) -> None:
    work = adding(services, call.tenant_id, "box@example.test")
    first = await services.writes.run(work, call)
    assert await services.writes.run(work, call) == first
    assert await addresses(services) == ["box@example.test"]
    assert await event_types(services) == ["mailbox.created"]


async def test_nothing_is_left_when_the_answer_is_an_error(services: Services, call: Call) -> None:
    refused = adding(services, call.tenant_id, "box@example.test", status=409)
    assert (await services.writes.run(refused, call)).status == 409
    assert await addresses(services) == []
    assert await event_types(services) == []
    again = adding(services, call.tenant_id, "box@example.test")
    assert (await services.writes.run(again, call)).status == 201


async def test_services_share_the_transaction_and_see_what_each_other_wrote(
    services: Services, call: Call
) -> None:
    async def work() -> Answer:
        label = await services.labels.ensure(call.tenant_id, "Bills")
        assert await services.labels.find(call.tenant_id, label.id) == label
        await services.mailboxes.add("box@example.test", call.tenant_id)
        with pytest.raises(AlreadyExists):
            await services.mailboxes.add("box@example.test", call.tenant_id)
        assert await services.mailboxes.find("box@example.test", call.tenant_id)
        return Answer(201, [], b"")

    await services.writes.run(work, None)
    assert await addresses(services) == ["box@example.test"]
    assert await event_types(services) == ["mailbox.created"]


async def test_all_is_undone_when_the_work_fails_late(services: Services, call: Call) -> None:
    async def work() -> Answer:
        await services.labels.ensure(call.tenant_id, "Bills")
        await services.mailboxes.add("box@example.test", call.tenant_id)
        raise NotFound("No.")

    with pytest.raises(NotFound):
        await services.writes.run(work, call)
    assert await addresses(services) == []
    assert await services.database.fetch_value("select count(*) from label") == 0
    assert await services.database.fetch_value("select count(*) from idempotency_key") == 0


async def test_second_call_is_told_to_wait_while_the_first_runs(
    services: Services, call: Call
) -> None:
    reached, goes_on = asyncio.Event(), asyncio.Event()

    async def slow() -> Answer:
        reached.set()
        await goes_on.wait()
        return await adding(services, call.tenant_id, "box@example.test")()

    first = asyncio.create_task(services.writes.run(slow, call))
    await reached.wait()
    with pytest.raises(StillRunning):
        await services.writes.run(slow, call)
    goes_on.set()
    answer = await first
    assert await services.writes.run(slow, call) == answer
    assert await addresses(services) == ["box@example.test"]


async def test_many_at_once_are_carried_out_once(services: Services, call: Call) -> None:
    work = adding(services, call.tenant_id, "box@example.test")
    answers = await asyncio.gather(
        *(services.writes.run(work, call) for _ in range(8)), return_exceptions=True
    )
    done = {each.body for each in answers if isinstance(each, Answer)}
    assert len(done) == 1
    assert all(isinstance(each, Answer | StillRunning) for each in answers)
    assert await event_types(services) == ["mailbox.created"]


async def test_another_request_with_the_key_is_refused(services: Services, call: Call) -> None:
    await services.writes.run(adding(services, call.tenant_id, "box@example.test"), call)
    with pytest.raises(KeyReused):
        await services.writes.run(
            adding(services, call.tenant_id, "other@example.test"), replace(call, content=b"other")
        )
    assert await addresses(services) == ["box@example.test"]


@pytest.mark.parametrize("change", [{"path": "/api/v1/labels"}, {"method": "PATCH"}, {"key": "b"}])
async def test_key_counts_for_its_method_and_path(
    services: Services, call: Call, change: dict[str, str]
) -> None:
    await services.writes.run(adding(services, call.tenant_id, "box@example.test"), call)
    other = adding(services, call.tenant_id, "other@example.test")
    await services.writes.run(other, replace(call, content=b"other", **change))
    assert len(await addresses(services)) == 2


async def test_key_of_another_tenant_is_another(services: Services, call: Call) -> None:
    await services.writes.run(adding(services, call.tenant_id, "box@example.test"), call)
    stranger = await services.tenants.create("Stranger", "developer")
    await services.domains.add("stranger.test", stranger.id, vouched=True)
    work = adding(services, stranger.id, "box@stranger.test")
    await services.writes.run(work, replace(call, tenant_id=stranger.id))
    assert len(await addresses(services)) == 2


async def test_answer_is_for_the_api_key_that_wrote(services: Services, call: Call) -> None:
    work = adding(services, call.tenant_id, "box@example.test")
    await services.writes.run(work, call)
    with pytest.raises(KeyTaken):
        await services.writes.run(work, replace(call, api_key_id=uuid4()))
    with pytest.raises(InvalidTag):
        await services.writes.run(work, replace(call, secret=Secret("f" * 64)))
    stored = await services.database.fetch_value("select answer from idempotency_key")
    assert SECRET.encode() not in stored
    assert b"text/plain" not in stored


async def test_key_may_be_used_anew_after_a_day(
    services: Services, call: Call, clock: MovableClock
) -> None:
    await services.writes.run(adding(services, call.tenant_id, "box@example.test"), call)
    clock.moved_seconds += 86_400
    again = replace(call, content=b"another")
    await services.writes.run(adding(services, call.tenant_id, "other@example.test"), again)
    assert len(await addresses(services)) == 2
    assert await services.writes.forget_old() == 0
    clock.moved_seconds += 86_400
    assert await services.writes.forget_old() == 1
