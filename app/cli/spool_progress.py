"""The spool that a command is about, and how far ingestion has read it."""

import os
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from app.assembly import Services, assemble
from app.cli.installation import find_settings
from app.core.clock import SystemClock
from app.core.errors import BadSetting, NotFound, Unavailable
from app.core.ids import Ids
from app.embedded.errors import NotRunning
from app.settings import read_settings
from app.storage.spool.forms import FolderSpool, Spool
from app.storage.spool.port import Position
from app.storage.spool.survey import StoredItem
from app.storage.stores import open_spool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far each producer was read, and which items wait for another try."""

    positions: Mapping[str, Position]
    deferred: Set[UUID]

    def offset_in(self, producer: str, segment: int) -> int | None:
        """From where on the segment waits; None when all of it was read."""
        position = self.positions.get(producer)
        if position is None or position.segment < segment:
            return 0
        return position.offset if position.segment == segment else None

    def state_of(self, item: StoredItem) -> str:
        """`done`, `waiting`, or `deferred` for one that is to be tried again."""
        if item.metadata.item_id in self.deferred:
            return "deferred"
        offset = self.offset_in(item.position.producer, item.position.segment)
        return "done" if offset is None or item.position.offset < offset else "waiting"


def find_spool(data: Path) -> Spool:
    """The spool of this environment where it names one, else of a running `up`, else the one that
    lies in the data folder: looking needs neither database nor keys. Raises `NotFound`."""
    ids, clock = Ids(), SystemClock()
    if os.environ.get("SPOOL_URL") or os.environ.get("DATABASE_URL"):
        spool = open_spool(read_settings(os.environ), clock, ids)
    else:
        try:
            spool = open_spool(find_settings(data), clock, ids)
        except NotRunning:
            spool = FolderSpool(data / "spool", clock, ids)
    if isinstance(spool, FolderSpool) and not spool.root.is_dir():
        raise NotFound(f"There is no spool in {spool.root}.")
    return spool


async def read_progress(services: Services) -> Progress:
    """Raises `Unavailable` when the database cannot be asked."""
    reader = await services.spool.open_reader()
    rows = await services.database.fetch(
        "select id from spool_deferred where spool = $1", reader.name
    )
    positions = await services.drain(reader).load_positions()
    return Progress(positions, {row["id"] for row in rows})


async def find_progress(data: Path) -> Progress | None:
    """None where nothing runs, or its database does not answer."""
    try:
        services = assemble(find_settings(data))
        async with services.running():
            return await read_progress(services)
    except (NotRunning, BadSetting, Unavailable):
        return None
