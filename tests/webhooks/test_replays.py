"""Older events are sent again, missed ones once, and each keeps its webhook-id."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from clocks import MovableClock
from http_host import hosting
from subscriber import Hooks

from app.eventlog.types import EventType
from app.webhooks.deliveries import KEEP_FOR, DeliveryState
from app.webhooks.endpoints import Wish
from app.webhooks.queue import Which
from app.webhooks.replays import Range

TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"


async def carry_out(hooks: Hooks, endpoint_id: UUID, wanted: Range, which: Which) -> int:
    """How many deliveries it made."""
    replays = hooks.services.webhook_replays
    await replays.start(hooks.grant, endpoint_id, wanted, which)
    while await replays.advance():
        pass
    newest = (await replays.list(hooks.grant, endpoint_id))[0]
    assert newest.finished_at
    assert newest.position == newest.to_position
    return newest.deliveries


async def test_range_is_sent_again_with_the_same_ids(hooks: Hooks) -> None:
    async with hosting(TAKEN) as host:
        minted = await hooks.add(host.port)
        events = await hooks.tell(4)
        await hooks.deliver()
        before = [delivery.webhook_id for delivery in await hooks.list(minted.endpoint.id)]
        middle = Range(after=events[0].position, until_position=events[2].position)
        assert await carry_out(hooks, minted.endpoint.id, middle, Which.ALL) == 2
        await hooks.deliver()
        assert host.visits == 6
    deliveries = await hooks.list(minted.endpoint.id)
    assert [delivery.webhook_id for delivery in deliveries] == before
    assert {delivery.state for delivery in deliveries} == {DeliveryState.DELIVERED}
    assert [len((await hooks.open(each)).tries) for each in deliveries] == [1, 2, 2, 1]
    assert len(await hooks.told(EventType.WEBHOOK_DELIVERED)) == 6


async def test_what_was_missed_while_it_was_off_is_sent_once(hooks: Hooks) -> None:
    async with hosting(TAKEN) as host:
        minted = await hooks.add(host.port)
        endpoint_id, endpoints = minted.endpoint.id, hooks.services.webhook_endpoints
        await hooks.tell(2)
        await hooks.deliver()
        await endpoints.change(hooks.grant, endpoint_id, Wish(is_enabled=False))
        await hooks.tell(3)
        assert await hooks.deliver() == 0
        on = await endpoints.change(hooks.grant, endpoint_id, Wish(is_enabled=True))
        missed = Range(after=on.disabled_position)
        assert await carry_out(hooks, endpoint_id, missed, Which.UNDELIVERED) == 3
        assert await carry_out(hooks, endpoint_id, missed, Which.UNDELIVERED) == 0
        await hooks.deliver()
        assert host.visits == 5


async def test_time_chooses_and_other_types_and_tenants_are_left_out(
    hooks: Hooks, clock: MovableClock
) -> None:
    other = await hooks.services.tenants.create("Other", "developer")
    await hooks.tell(2)
    clock.moved_seconds += 3600
    since = clock.now()
    await hooks.tell(3)
    await hooks.tell(1, EventType.MESSAGE_UPDATED)
    mine, hooks.grant = hooks.grant, replace(hooks.grant, tenant_id=other.id)
    await hooks.tell(5)
    hooks.grant = mine
    clock.moved_seconds += 3600
    minted = await hooks.add(1025, types=["ingest.received"])
    endpoint_id = minted.endpoint.id
    assert await carry_out(hooks, endpoint_id, Range(since=since), Which.ALL) == 3
    assert await carry_out(hooks, endpoint_id, Range(until=since), Which.NEW) == 2


async def test_delivery_that_was_forgotten_has_its_id_again(
    hooks: Hooks, clock: MovableClock
) -> None:
    async with hosting(TAKEN) as host:
        minted = await hooks.add(host.port)
        await hooks.tell()
        await hooks.deliver()
        (before,) = await hooks.list(minted.endpoint.id)
        assert await hooks.services.webhook_deliveries.remove_old() == 0
        clock.moved_seconds += (KEEP_FOR + timedelta(seconds=1)).total_seconds()
        assert await hooks.services.webhook_deliveries.remove_old() == 1
        assert await hooks.list(minted.endpoint.id) == []
        assert await carry_out(hooks, minted.endpoint.id, Range(), Which.ALL) >= 1
    after = await hooks.list(minted.endpoint.id)
    assert before.webhook_id in [delivery.webhook_id for delivery in after]


async def test_event_that_comes_twice_is_queued_once(hooks: Hooks) -> None:
    minted = await hooks.add(1025)
    await hooks.tell(3)
    hooks.read_to = 0
    await hooks.queue()
    assert len(await hooks.list(minted.endpoint.id)) == 3


async def test_new_endpoint_is_told_of_nothing_that_was_before(hooks: Hooks) -> None:
    await hooks.tell(2)
    minted = await hooks.add(1025)
    hooks.read_to = 0
    await hooks.queue()
    assert await hooks.list(minted.endpoint.id) == []
