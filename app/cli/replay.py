"""`pillarbox replay` and `pillarbox consumer`: what the readers of the event log are handed."""

import argparse
import asyncio
import json
import time
from collections.abc import Callable

from app.assembly import Services
from app.cli.installation import with_services
from app.core.errors import InvalidInput, Unavailable
from app.eventlog.consumer_states import forget_consumer, start_consumer
from app.eventlog.lease import is_led
from app.eventlog.replays import Replay, Replays

_LOOK_AGAIN_SECONDS = 0.25
_PATIENCE_SECONDS = 20.0


def replay(options: argparse.Namespace) -> None:
    """Asks whoever runs the consumer, and tells of its progress until it is done.

    Ending this command does not end the replay; `--cancel` does.
    """
    if options.cancel:
        ended = with_services(
            options.data, lambda services: Replays(services.log).cancel(options.consumer)
        )
        print(json.dumps({"cancelled": ended}) if options.json else f"Called off: {ended}.")
        return
    if options.first is None:
        raise InvalidInput("Say from which position, by --from.")

    def say(line: str) -> None:
        if not options.json:
            print(line, flush=True)

    async def work(services: Services) -> Replay:
        replays = Replays(services.log)
        asked = await replays.ask(options.consumer, options.first, options.last, options.type)
        say(f"From {asked.first_position:,} to {asked.last_position:,}.")
        return await _follow(services, replays, asked, say)

    done = with_services(options.data, work)
    say(f"Done: {done.event_count:,} events.")
    if options.json:
        print(
            json.dumps(
                {
                    "consumer": done.consumer,
                    "from": done.first_position,
                    "to": done.last_position,
                    "events": done.event_count,
                }
            )
        )


def start(options: argparse.Namespace) -> None:
    with_services(
        options.data,
        lambda services: start_consumer(services.log, options.consumer, options.first),
    )
    words = f"{options.consumer} begins with the event at {options.first}."
    print(json.dumps({"starts_at": options.first}) if options.json else words)


def forget(options: argparse.Namespace) -> None:
    with_services(options.data, lambda services: forget_consumer(services.log, options.consumer))
    words = f"{options.consumer} is forgotten, and holds no events any more."
    print(json.dumps({"forgotten": options.consumer}) if options.json else words)


async def _follow(
    services: Services, replays: Replays, asked: Replay, say: Callable[[str], None]
) -> Replay:
    """Until it is finished. Raises `Unavailable` when nobody runs the consumer, or when it was
    called off."""
    said, led_at = 0, time.monotonic()
    while True:
        seen = await replays.find(asked.id)
        if seen is None:
            raise Unavailable("The replay was called off.")
        if seen.finished_at is not None:
            return seen
        if seen.event_count != said:
            said = seen.event_count
            say(f"{said:,} events, at {seen.next_position - 1:,} of {seen.last_position:,}")
        if await is_led(services.database, asked.consumer, services.clock.now()):
            led_at = time.monotonic()
        elif time.monotonic() - led_at > _PATIENCE_SECONDS:
            raise Unavailable(
                f"It is asked for, but the consumer {asked.consumer} does not run: it will begin "
                "with this."
            )
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
