"""`pillarbox reindex`: the search index made anew, while searches go on."""

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from app.assembly import Services
from app.cli.installation import with_services
from app.core.errors import NotFound, Unavailable
from app.eventlog.lease import is_led
from app.mime.addresses import normalise_address
from app.search.rebuilds import INDEXER, Progress

_LOOK_AGAIN_SECONDS = 0.25
_PATIENCE_SECONDS = 20.0


def reindex(options: argparse.Namespace) -> None:
    """Asks the process that leads the indexer, and tells of its progress until it is done.

    Ending this command does not end the rebuild.
    """

    def say(line: str) -> None:
        if not options.json:
            print(line, flush=True)

    async def work(services: Services) -> Sequence[Progress]:
        mailboxes = await _choose(services, options.mailbox)
        asked = await services.rebuilds.request(mailboxes)
        say(f"Mailboxes to rebuild: {len(asked):,}.")
        return await _follow(services, asked, say)

    done = with_services(options.data, work)
    messages = sum(progress.done for progress in done)
    say(f"Done: {messages:,} messages.")
    if options.json:
        print(json.dumps({"mailboxes": len(done), "messages": messages}))


async def _choose(services: Services, address: str | None) -> Sequence[UUID] | None:
    if address is None:
        return None
    rows = await services.database.fetch(
        "select id from mailbox where address = $1", normalise_address(address)
    )
    if not rows:
        raise NotFound(f"There is no mailbox {address} here.")
    return [row["id"] for row in rows]


async def _follow(
    services: Services, asked: Sequence[UUID], say: Callable[[str], None]
) -> Sequence[Progress]:
    """Until all are finished. Raises `Unavailable` when no indexer runs."""
    said: dict[UUID, int] = {}
    led_at = time.monotonic()
    while True:
        seen = await services.rebuilds.progress(asked)
        for progress in seen:
            if progress.done != said.get(progress.mailbox_id, 0):
                said[progress.mailbox_id] = progress.done
                say(f"{progress.address}: {progress.done:,} of {progress.total:,} messages")
        if all(progress.is_finished for progress in seen):
            return seen
        if await is_led(services.database, INDEXER, services.clock.now()):
            led_at = time.monotonic()
        elif time.monotonic() - led_at > _PATIENCE_SECONDS:
            raise Unavailable(
                "It is asked for, but no indexer runs: `pillarbox worker` starts one, and it "
                "will begin with this."
            )
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
