"""The parked verbs: events that a consumer could not handle."""

import argparse
import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from uuid import UUID

from app.assembly import Services
from app.cli.installation import with_services
from app.core.errors import InvalidInput, NotFound, Unavailable
from app.eventlog.lease import is_led
from app.eventlog.parked import Chosen, ParkedEvent, ParkedEvents

_LOOK_AGAIN_SECONDS = 0.1
_PATIENCE_SECONDS = 20.0
_STILL_THERE = 1


def list_events(options: argparse.Namespace) -> None:
    events = with_services(
        options.data, lambda services: ParkedEvents(services.log).list(options.consumer)
    )
    if options.json:
        print(json.dumps([_facts(event) for event in events]))
        return
    for event in events:
        print(
            f"{event.id}  {event.parked_at:%Y-%m-%d %H:%M}  {event.consumer}  {event.position}  "
            f"{event.type}: {event.reason}"
        )
    if not events:
        print("No event is parked.")


def retry_events(options: argparse.Namespace) -> int:
    """Has them handled again by whoever runs the consumer, and waits for the outcome."""
    chosen = _choose(options)

    async def work(services: Services) -> tuple[int, Sequence[ParkedEvent]]:
        parked = ParkedEvents(services.log)
        if not (asked := await parked.ask(chosen)):
            raise NotFound("No such event is parked: `pillarbox parked list` shows them.")
        return asked, await _follow(services, parked, chosen)

    asked, left = with_services(options.data, work)
    if options.json:
        print(json.dumps({"handled": asked - len(left), "left": [_facts(each) for each in left]}))
    else:
        print(f"Handled: {asked - len(left)}. Parked still: {len(left)}.")
        for event in left:
            print(f"{event.id}  {event.reason}")
    return _STILL_THERE if left else 0


def drop_events(options: argparse.Namespace) -> None:
    chosen = _choose(options)
    dropped = with_services(options.data, lambda services: ParkedEvents(services.log).drop(chosen))
    if not dropped:
        raise NotFound("No such event is parked: `pillarbox parked list` shows them.")
    print(json.dumps({"dropped": dropped}) if options.json else f"Dropped: {dropped}.")


async def _follow(
    services: Services, parked: ParkedEvents, chosen: Chosen
) -> Sequence[ParkedEvent]:
    """Those that are left when all were tried. Raises `Unavailable` when nobody tries them."""
    led_at = time.monotonic()
    while True:
        left = [event for event in await parked.list(chosen.consumer) if _is_of(event, chosen)]
        waiting = [event for event in left if event.asked_at is not None]
        if not waiting:
            return left
        name = waiting[0].consumer
        if await is_led(services.database, name, services.clock.now()):
            led_at = time.monotonic()
        elif time.monotonic() - led_at > _PATIENCE_SECONDS:
            raise Unavailable(
                f"It is asked for, but the consumer {name} does not run: it will begin with this."
            )
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _is_of(event: ParkedEvent, chosen: Chosen) -> bool:
    return chosen.ids is None or event.id in chosen.ids


def _choose(options: argparse.Namespace) -> Chosen:
    if not options.ids and options.consumer is None:
        raise InvalidInput("Say which: by their ids, or all of a consumer by --consumer.")
    try:
        ids = [UUID(text) for text in options.ids]
    except ValueError as error:
        raise InvalidInput("An id is wrong: `pillarbox parked list` shows them.") from error
    return Chosen(ids or None, options.consumer)


def _facts(event: ParkedEvent) -> Mapping[str, str | int | None]:
    return {
        name: value if value is None or isinstance(value, int) else str(value)
        for name, value in asdict(event).items()
    }
