"""`pillarbox status`: what is reachable, and what waits."""

import argparse
import json
from collections.abc import Mapping

from app.assembly import Services
from app.cli.installation import with_services
from app.consumers.indexer import INDEXED_TYPES
from app.eventlog.read import last_position
from app.search.rebuilds import INDEXER


def show_status(options: argparse.Namespace) -> None:
    facts = with_services(options.data, _collect)
    if options.json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):22} {value}")


async def _collect(services: Services) -> Mapping[str, object]:
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
    }


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
