"""`pillarbox status`: what is reachable, and what waits."""

import argparse
import json
from typing import Any

import msgspec

from app.assembly import Services
from app.cli.installation import with_services
from app.consumers.indexer import INDEXED_TYPES
from app.eventlog.consumer_states import ConsumerState, read_consumer_states
from app.eventlog.read import last_position
from app.eventlog.replays import Replay, Replays
from app.search.rebuilds import INDEXER


def show_status(options: argparse.Namespace) -> None:
    facts = with_services(options.data, _collect)
    if options.json:
        print(json.dumps(facts))
        return
    consumers, replays = facts.pop("consumers"), facts.pop("replays")
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):22} {value}")
    for each in consumers:
        state = "runs" if each["is_running"] else "stopped"
        print(
            f"consumer {each['name']:13} {state}, {each['events_behind']} events behind, "
            f"{each['parked_events']} parked"
        )
    for each in replays:
        print(
            f"replay of {each['consumer']:12} at {each['next_position'] - 1} of "
            f"{each['last_position']}, {each['event_count']} events"
        )


async def _collect(services: Services) -> dict[str, Any]:
    backlog = await services.drain(await services.spool.open_reader()).backlog()
    oldest = backlog.oldest_received_at
    return {
        "redis": "answers" if await services.doorbell.check() else "is away",
        "event_position": await last_position(services.database),
        "search_waiting_events": await _count_waiting(services),
        "spool_waiting_bytes": backlog.size_bytes,
        "spool_oldest": oldest.isoformat() if oldest else None,
        "deferred": await services.database.fetch_value("select count(*) from spool_deferred"),
        "quarantined": await services.database.fetch_value("select count(*) from quarantine"),
        "consumers": [
            _plain(state)
            for state in await read_consumer_states(services.database, services.clock.now())
        ],
        "replays": [
            _plain(replay)
            for replay in await Replays(services.log).list()
            if replay.finished_at is None
        ],
    }


def _plain(value: ConsumerState | Replay) -> dict[str, Any]:
    """As JSON has it: times and ids as text."""
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain


async def _count_waiting(services: Services) -> int:
    """Events that the search index does not know of yet."""
    return int(
        await services.database.fetch_value(
            """select count(*) from event where type = any($2::text[])
                and position > coalesce((select position from consumer where name = $1), 0)""",
            INDEXER,
            list(INDEXED_TYPES),
        )
    )
