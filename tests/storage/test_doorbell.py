"""The doorbell wakes who waits, and never fails whoever rings."""

import asyncio

from app.storage.doorbell import Bell, Doorbell

NOBODY = "redis://127.0.0.1:1/0"


async def test_every_waiter_is_woken_when_another_process_rings(redis_url: str) -> None:
    waiter, ringer = Doorbell(redis_url), Doorbell(redis_url)
    async with waiter.listening():
        ears = [waiter.listen_for(Bell.EVENTS) for _ in range(3)]
        for ear in ears:
            await ear.wait(30)
        waiting = {asyncio.create_task(ear.wait(3600)) for ear in ears}
        while waiting:
            await ringer.ring(Bell.EVENTS)
            _, waiting = await asyncio.wait(waiting, timeout=0.05)
    await waiter.close()
    await ringer.close()


async def test_ringing_does_no_harm_when_redis_is_away() -> None:
    doorbell = Doorbell(NOBODY)
    await doorbell.ring(Bell.EVENTS)
    assert not await doorbell.check()
    await doorbell.close()


async def test_waiter_looks_by_itself_when_redis_is_away() -> None:
    doorbell = Doorbell(NOBODY)
    async with doorbell.listening(), asyncio.timeout(30):
        await doorbell.listen_for(Bell.EVENTS).wait(3600)
    await doorbell.close()
