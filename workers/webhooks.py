"""Telling endpoints what happened: events are queued, replays worked off, and calls made."""

import asyncio

from app.assembly import Services
from app.core.errors import Unavailable
from app.core.log import get_logger
from app.eventlog.consumer import ConsumerRunner
from app.storage.doorbell import Bell
from app.webhooks.replays import WebhookReplays

_log = get_logger("webhooks")
_LOOK_AGAIN_SECONDS = 1.0


async def run_webhooks(services: Services) -> None:
    """Until cancelled."""
    runner = ConsumerRunner(services.webhooks(), services.log, leader=services.ids.new())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(runner.run(), name="webhooks queue")
        tasks.create_task(_replay(services.webhook_replays), name="webhooks replays")
        tasks.create_task(services.webhook_deliverer().run(), name="webhooks deliverer")


async def _replay(replays: WebhookReplays) -> None:
    ear = replays.log.doorbell.listen_for(Bell.WEBHOOKS)
    while True:
        try:
            while await replays.advance():
                pass
        except Unavailable as error:
            _log.warning("webhooks.replay", outcome="waiting", reason=str(error))
        await ear.wait(_LOOK_AGAIN_SECONDS)
