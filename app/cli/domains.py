"""`pillarbox domain check` and `domain records`: what a domain needs, and what is there."""

import argparse
import json
from typing import Any

from app.assembly import Services
from app.cli.installation import with_services
from app.directory.domains import Domain
from app.directory.sightings import Sighting


def show_records(options: argparse.Namespace) -> None:
    """One line for each record, as it is typed into a zone."""

    async def work(services: Services) -> None:
        domain = await _find(services, options)
        records = await services.domain_checks.list_records(domain)
        if options.json:
            shown = [
                {
                    "purpose": record.purpose,
                    "name": record.name,
                    "type": record.type,
                    "value": record.value,
                    "required": record.is_required,
                    "why": record.why,
                }
                for record in records
            ]
            print(json.dumps({"name": domain.name, "status": domain.status, "records": shown}))
            return
        for record in records:
            need = "needed" if record.is_required else "recommended"
            print(f"; {need}: {record.why}")
            quoted = f'"{record.value}"' if record.type == "TXT" else record.value
            print(f"{record.name}. {record.type} {quoted}")

    with_services(options.data, work)


def check(options: argparse.Namespace) -> None:
    """Looks now, and does what follows."""

    async def work(services: Services) -> None:
        domain = await _find(services, options)
        found = await services.domain_checks.check(domain)
        if options.json:
            facts: dict[str, Any] = {
                "name": domain.name,
                "status": found.status,
                "outcome": found.outcome,
                "changes": list(found.changes),
                "records": [_describe(sighting) for sighting in found.sightings],
            }
            print(json.dumps(facts))
            return
        print(f"{domain.name} is {found.status} ({found.outcome}).")
        for sighting in found.sightings:
            seen = f": {', '.join(sighting.seen)}" if sighting.seen else ""
            note = f" ({sighting.note})" if sighting.note else ""
            print(f"{sighting.state:8} {sighting.purpose} at {sighting.name}{seen}{note}")

    with_services(options.data, work)


async def _find(services: Services, options: argparse.Namespace) -> Domain:
    tenant = await services.tenants.find(options.tenant) if options.tenant else None
    return await services.domains.find_named(options.name, tenant.id if tenant else None)


def _describe(sighting: Sighting) -> dict[str, Any]:
    return {
        "purpose": sighting.purpose,
        "name": sighting.name,
        "state": sighting.state,
        "seen": list(sighting.seen),
        "note": sighting.note,
        "by": dict(sighting.by),
    }
