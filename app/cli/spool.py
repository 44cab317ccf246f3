"""The spool verbs. All but `replay` only look, and need no database; without one they cannot tell
what was taken in already."""

import argparse
import asyncio
import heapq
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from app.assembly import Services
from app.cli.installation import with_services
from app.cli.spool_progress import find_progress, find_spool, read_progress
from app.cli.spool_selection import Selection, parse_id, read_selection
from app.core.errors import InvalidInput, NotFound
from app.inbound.pipeline.replay import Replay
from app.storage.spool.disk import Disk
from app.storage.spool.forms import FolderSpool, Spool
from app.storage.spool.free_space import Room
from app.storage.spool.port import Item
from app.storage.spool.reading import count_items
from app.storage.spool.scan import Ending
from app.storage.spool.survey import StoredItem, check, list_items

_DAMAGED = 1
_UNKNOWN = "not known: no database"
_STATES = {Ending.SEALED: "sealed", Ending.OPEN: "open", Ending.ABANDONED: "given up"}


def show_status(options: argparse.Namespace) -> None:
    facts = asyncio.run(_collect_status(options))
    if options.json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):22} {_UNKNOWN if value is None else value}")


def verify(options: argparse.Namespace) -> int:
    """Exit code 1 when something that was promised is not there as it was written."""
    return asyncio.run(_verify(options))


def list_all(options: argparse.Namespace) -> None:
    rows = asyncio.run(_collect_list(options))
    if options.json:
        for row in rows:
            print(json.dumps(row))
        return
    _print_table(
        ("ID", "TIME", "SENDER", "RECIPIENTS", "BYTES", "SEGMENT", "STATE"),
        [
            (
                *(row["id"], row["received_at"][:19], row["mail_from"] or "<>"),
                *(_shorten(row["rcpt_to"]), row["size_bytes"], row["segment"], row["state"] or "?"),
            )
            for row in rows
        ],
    )
    if not rows:
        print("Nothing here is like that.")


def show_item(options: argparse.Namespace) -> None:
    item_id = parse_id(options.id)
    item = asyncio.run(_load(options, item_id))
    if options.raw:
        sys.stdout.buffer.write(item.raw)
        sys.stdout.buffer.flush()
        return
    facts = _facts(StoredItem(item.position, item.metadata, len(item.raw)))
    facts |= {
        "source": item.metadata.source,
        "client_address": item.metadata.client_address,
        "client_name": item.metadata.client_name,
        "trace_id": str(item.metadata.trace_id),
        "prefix_size_bytes": item.metadata.prefix_size_bytes,
    }
    if options.json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        words = ", ".join(value) if isinstance(value, list) else str(value)
        print(f"{name.replace('_', ' '):18} {_printable(words)}")


def replay(options: argparse.Namespace) -> None:
    """Items that were taken in before are taken in again, beside what comes in."""
    selection = read_selection(options)
    if selection == Selection():
        raise InvalidInput("Say what to replay: ids, --since, --until or --segment.")

    async def work(services: Services) -> tuple[int, int, int]:
        progress = await read_progress(services)
        chosen = [item async for item in selection.find(services.spool)]
        missing = selection.ids - {item.metadata.item_id for item in chosen}
        if missing:
            raise NotFound(f"The spool has no item {', '.join(sorted(map(str, missing)))}.")
        read = [item for item in chosen if progress.state_of(item) != "waiting"]
        name = (await services.spool.open_reader()).name
        handed = await Replay(services.database, services.clock).begin(
            name, [(item.metadata.item_id, item.position) for item in read]
        )
        return handed, len(chosen) - len(read), len(read) - handed

    handed, waiting, quarantined = with_services(options.data, work)
    if options.json:
        print(json.dumps({"handed": handed, "waiting": waiting, "quarantined": quarantined}))
        return
    print(f"Handed to ingestion again: {handed}.")
    if waiting:
        print(f"Left alone, as they still wait for their first time: {waiting}.")
    if quarantined:
        print(
            f"Left alone, as they are in quarantine (`pillarbox quarantine retry`): {quarantined}."
        )


async def _collect_status(options: argparse.Namespace) -> Mapping[str, Any]:
    spool = find_spool(options.data)
    progress = await find_progress(options.data)
    states: Counter[Ending] = Counter()
    producers: set[str] = set()
    items = size_bytes = waiting = waiting_bytes = 0
    oldest: datetime | None = None
    async for stored in spool.segments():
        states[stored.segment.ending] += 1
        producers.add(stored.producer)
        items += count_items(stored.segment)
        size_bytes += stored.segment.size_bytes
        since = progress.offset_in(stored.producer, stored.number) if progress else None
        for item in () if since is None else list_items(stored, since):
            waiting += 1
            waiting_bytes += item.size_bytes
            oldest = min(oldest or item.metadata.received_at, item.metadata.received_at)
    age = datetime.now(UTC) - oldest if oldest else timedelta()
    return {
        "producers": ", ".join(sorted(producers)) or "none yet",
        "segments": states.total(),
        **{f"segments_{_STATES[each].replace(' ', '_')}": states[each] for each in Ending},
        "items": items,
        "segment_bytes": size_bytes,
        "waiting_items": waiting if progress else None,
        "waiting_bytes": waiting_bytes if progress else None,
        "oldest_age_seconds": round(age.total_seconds(), 1) if progress else None,
        "deferred_items": len(progress.deferred) if progress else None,
        **_disk_facts(spool),
    }


def _disk_facts(spool: Spool) -> Mapping[str, int]:
    if not isinstance(spool, FolderSpool):
        return {}
    room = Room.of(Disk().statvfs(spool.root))
    return {"disk_free_bytes": room.free_bytes, "disk_free_inodes": room.free_inodes or 0}


async def _verify(options: argparse.Namespace) -> int:
    rows, faults, items = [], [], 0
    async for stored in find_spool(options.data).segments():
        segment = f"{stored.producer}/{stored.number}"
        found = check(stored)
        items += found.items
        state = _STATES[stored.segment.ending]
        faults += [(segment, fault) for fault in found.faults]
        outcome = _count(found.faults, "fault") if found.faults else "good"
        if found.tail_bytes:
            outcome += f", {found.tail_bytes} bytes at its end were never acknowledged"
        rows.append((segment, state, found.items, stored.segment.size_bytes, outcome))
        if options.json:
            told = [
                {"offset": f.offset, "end": f.end_offset, "reason": f.reason} for f in found.faults
            ]
            print(
                json.dumps(
                    {"segment": segment, "state": state, "items": found.items}
                    | {"tail_bytes": found.tail_bytes, "faults": told}
                )
            )
    if not options.json:
        _print_table(("SEGMENT", "STATE", "ITEMS", "BYTES", "FOUND"), rows)
        for segment, fault in faults:
            print(f"{segment}, bytes {fault.offset} to {fault.end_offset}: {fault.reason}.")
        words = _count(faults, "fault") if faults else "all as it was written"
        print(f"{_count(rows, 'segment')}, {items:,} items: {words}.")
    return _DAMAGED if faults else 0


async def _collect_list(options: argparse.Namespace) -> Sequence[dict[str, Any]]:
    """The newest first."""
    progress = await find_progress(options.data)
    found = [
        (item, progress.state_of(item) if progress else None)
        async for item in read_selection(options).find(find_spool(options.data))
    ]
    wanted = [pair for pair in found if options.state in (None, pair[1])]
    newest = heapq.nlargest(
        options.limit, wanted, key=lambda pair: (pair[0].metadata.received_at, pair[0].position)
    )
    return [_facts(item) | {"state": state} for item, state in newest]


async def _load(options: argparse.Namespace, item_id: UUID) -> Item:
    spool = find_spool(options.data)
    async for found in Selection(ids={item_id}).find(spool):
        return await (await spool.open_reader()).load(found.position)
    raise NotFound(f"The spool has no item {item_id}: `pillarbox spool list` shows them.")


def _facts(item: StoredItem) -> dict[str, Any]:
    metadata = item.metadata
    return {
        "id": str(metadata.item_id),
        "received_at": metadata.received_at.astimezone(UTC).isoformat(),
        "mail_from": metadata.envelope.mail_from,
        "rcpt_to": list(metadata.envelope.rcpt_to),
        "size_bytes": item.size_bytes,
        "segment": f"{item.position.producer}/{item.position.segment}",
        "offset": item.position.offset,
    }


def _count(things: Sequence[object], noun: str) -> str:
    return f"{len(things):,} {noun}{'' if len(things) == 1 else 's'}"


def _shorten(recipients: Sequence[str]) -> str:
    more = f" and {len(recipients) - 1} more" if len(recipients) > 1 else ""
    return f"{recipients[0]}{more}" if recipients else "nobody"


def _print_table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    lines = [titles, *([_printable(str(cell)) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        print("  ".join(cells).rstrip())


def _printable(text: str) -> str:
    """Addresses come from strangers: nothing of theirs may steer a terminal."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
