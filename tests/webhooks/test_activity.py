"""What is late counts only where an endpoint would take it."""

from datetime import timedelta

from clocks import MovableClock
from http_host import hosting
from subscriber import Hooks

from app.webhooks.activity import Overdue, read_overdue

FAILED = b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"
NOTHING = Overdue(0, None)


async def read(hooks: Hooks) -> Overdue:
    return await read_overdue(hooks.services.database, hooks.services.clock.now())


async def test_delivery_is_late_from_when_it_was_due_until_it_is_under_way(
    hooks: Hooks, clock: MovableClock
) -> None:
    await hooks.add(8443)
    assert await read(hooks) == NOTHING
    due_at = clock.now()
    await hooks.tell(3)
    clock.moved_seconds += 60
    late = await read(hooks)
    assert late.deliveries == 3
    assert late.oldest_due_at is not None
    assert abs(late.oldest_due_at - due_at) < timedelta(seconds=30)
    await hooks.deliverer._claim()
    assert await read(hooks) == NOTHING


async def test_nothing_is_late_for_an_endpoint_that_fails(
    hooks: Hooks, clock: MovableClock
) -> None:
    async with hosting(FAILED) as host:
        await hooks.add(host.port)
        await hooks.tell(3)
        await hooks.deliver()
        clock.moved_seconds += 3600
        assert await read(hooks) == NOTHING
