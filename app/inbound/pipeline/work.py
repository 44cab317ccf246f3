"""What waits to be done in the whole installation, for those who run it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.errors import PillarboxError
from app.eventlog.append import EventLog
from app.eventlog.consumer_states import ConsumerState, read_consumer_states
from app.eventlog.parked import ParkedEvent, ParkedEvents
from app.eventlog.replays import Replay, Replays
from app.inbound.pipeline.drain import load_spool_positions
from app.search.rebuilds import Progress, Rebuilds
from app.storage.db.database import Database
from app.storage.schedule_notes import LastRun, ScheduleNotes
from app.storage.spool.forms import Spool
from app.storage.spool.port import Backlog

_REBUILDS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Queue:
    """Rows that wait: how many, and since when the oldest does."""

    number: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Work:
    """`replays` are those that are not finished. `backlog` is None where this process does not
    reach the spool, `runs` where Redis is away. `rebuilds` are the first that are asked for and not
    done, of `rebuilds_waiting`."""

    consumers: Sequence[ConsumerState]
    backlog: Backlog | None
    deferred: Queue
    held_back: Queue
    sign_in_mail: Queue
    parked: Sequence[ParkedEvent]
    replays: Sequence[Replay]
    rebuilds: Sequence[Progress]
    rebuilds_waiting: int
    runs: dict[str, LastRun] | None


@dataclass(frozen=True, slots=True)
class WorkReport:
    """Looks at everything that works in the background."""

    log: EventLog
    spool: Spool
    rebuilds: Rebuilds
    notes: ScheduleNotes

    @property
    def database(self) -> Database:
        return self.log.database

    async def collect(self) -> Work:
        """Raises `Unavailable` when the database is away; what else is, is left out."""
        waiting = [rebuild.mailbox_id for rebuild in await self.rebuilds.waiting()]
        return Work(
            consumers=await read_consumer_states(self.database, self.log.clock.now()),
            backlog=await self._measure_spool(),
            deferred=await self._count("spool_deferred"),
            held_back=await self._count("quarantine"),
            sign_in_mail=await self._count("sign_in_request"),
            parked=await ParkedEvents(self.log).list(),
            replays=[
                replay for replay in await Replays(self.log).list() if replay.finished_at is None
            ],
            rebuilds=await self.rebuilds.progress(waiting[:_REBUILDS_SHOWN]),
            rebuilds_waiting=len(waiting),
            runs=await self._read_runs(),
        )

    async def _measure_spool(self) -> Backlog | None:
        try:
            reader = await self.spool.open_reader()
            known = await load_spool_positions(self.database, reader.name)
            return await reader.backlog(
                [known.get(name) or await reader.start(name) for name in await reader.producers()]
            )
        except (PillarboxError, OSError):
            return None

    async def _read_runs(self) -> dict[str, LastRun] | None:
        try:
            return dict(await self.notes.read())
        except PillarboxError:
            return None

    async def _count(self, table: str) -> Queue:
        row = await self.database.fetch_one(
            f"select count(*) as number, min(created_at) as oldest_at from {table}"
        )
        return Queue(**row) if row else Queue(0, None)
