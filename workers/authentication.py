"""Checking who sent what arrived: new messages as the log tells of them, others when it is time."""

import asyncio

from app.assembly import Services
from app.consumers.authentication import Authentication
from app.core.errors import Unavailable
from app.core.log import get_logger
from app.eventlog.consumer import ConsumerRunner

_log = get_logger("authentication")
_LOOK_AGAIN_SECONDS = 30


async def run_authentication(services: Services) -> None:
    """Until cancelled."""
    authentication = services.authentication()
    runner = ConsumerRunner(authentication, services.log, leader=services.ids.new())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(runner.run(), name="authentication of arrivals")
        tasks.create_task(_check_again(authentication), name="authentication again")


async def _check_again(authentication: Authentication) -> None:
    while True:
        try:
            while await authentication.check_again():
                pass
        except Unavailable as error:
            _log.warning("authentication.again", outcome="waiting", reason=str(error))
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
