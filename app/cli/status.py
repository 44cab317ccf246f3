"""`pillarbox status`: what is reachable, and what waits."""

import argparse
import json
from collections.abc import Mapping

from app.assembly import Services
from app.cli.installation import with_services
from app.eventlog.read import last_position


def show_status(options: argparse.Namespace) -> None:
    facts = with_services(options.data, _collect)
    if options.json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):22} {value}")


async def _collect(services: Services) -> Mapping[str, object]:
    reader = await services.spool.open_reader()
    positions = await services.drain(reader).load_positions()
    known = [positions.get(name) or await reader.start(name) for name in await reader.producers()]
    backlog = await reader.backlog(known)
    oldest = backlog.oldest_received_at
    return {
        "redis": "answers" if await services.doorbell.check() else "is away",
        "event_position": await last_position(services.database),
        "spool_waiting_bytes": backlog.size_bytes,
        "spool_oldest": oldest.isoformat() if oldest else None,
        "deferred": await services.database.fetch_value("select count(*) from spool_deferred"),
        "quarantined": await services.database.fetch_value("select count(*) from quarantine"),
    }
