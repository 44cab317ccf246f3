"""Writers and readers of the event log in processes of their own, killed at random, and then the
readers' effects held against the log: each event exactly once, and nothing that was never told.

`make soak-log` runs it for two minutes. Two readers write their rows in the transaction that moves
their position (`atomic`), two write rows with a key of their own, one tells events; some events
cannot be handled by one of them and must be parked once.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from app.core.clock import SystemClock
from app.core.errors import InvalidInput, PillarboxError
from app.core.ids import Ids
from app.core.log import configure_logging
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.valkey import EmbeddedValkey
from app.eventlog.append import EventLog
from app.eventlog.consumer import ConsumerRunner
from app.eventlog.consumer_states import read_consumer_states
from app.eventlog.event import Event, NewEvent
from app.eventlog.lease import LEASE_TTL
from app.eventlog.types import EventType
from app.storage.db.database import Database
from app.storage.db.migrate import migrate
from app.storage.doorbell import Doorbell
from piccolo_conf import DB
from tests.benchmarks.report import report

WRITERS = 20
_KINDS = (EventType.INGEST_RECEIVED, EventType.MESSAGE_DELETED, EventType.MESSAGE_UPDATED)
_TOLD = EventType.INDEXER_INDEXED
_CALM_SECONDS = 90.0
_HANDLING_SECONDS = 0.05
_KILLED_READERS, _STALLED_READERS, _SAME_LEADER = 0.5, 0.3, 0.85

_TABLES = """
create table effect (consumer text not null, event_id uuid not null);
create table keyed_effect (consumer text, event_id uuid, primary key (consumer, event_id));
"""
_EFFECTS = """
select consumer, event_id from effect union all select consumer, event_id from keyed_effect
union all select consumer, event_id from parked_event
union all select 'teller', (data->>'of')::uuid from event where type = 'indexer.indexed'
"""
_JUDGE = f"""
with effects as ({_EFFECTS}),
    counted as (select event_id, count(*) as times from effects where consumer = $1 group by 1),
    wanted as (select id from event where type = any($2::text[]))
select
    (select count(*) from wanted) as wanted,
    (select count(*) from wanted where id not in (select event_id from counted)) as missing,
    (select count(*) from counted where times > 1) as doubled,
    (select count(*) from counted where event_id not in (select id from wanted)) as made_up
"""


@dataclass
class Effects:
    """A reader whose effects are rows. `keyed` ones may be written twice without a difference."""

    name: str
    types: Sequence[str]
    batch_size: int
    log: EventLog
    atomic: bool = False
    chokes: bool = False

    async def handle(self, events: Sequence[Event]) -> Sequence[NewEvent]:
        if self.chokes and any(event.id.int % 150 == 0 for event in events):
            raise InvalidInput("This one cannot be handled.")
        ids = [event.id for event in events]
        if not self.atomic:
            await _take_a_moment()
        if self.name == "teller":
            return [
                NewEvent(_TOLD, event.trace_id, ("message", event.id), data={"of": str(event.id)})
                for event in events
            ]
        if self.atomic:
            half = len(ids) // 2
            await self._write("effect", "", ids[:half])
            await _take_a_moment()
            await self._write("effect", "", ids[half:])
        else:
            await self._write("keyed_effect", "on conflict do nothing", ids)
        return []

    async def _write(self, table: str, ending: str, ids: Sequence[UUID]) -> None:
        await self.log.database.execute(
            f"insert into {table} select $1, * from unnest($2::uuid[]) {ending}", self.name, ids
        )


async def _take_a_moment() -> None:
    """In which a process may be killed with half of its work done."""
    await asyncio.sleep(random.uniform(0, _HANDLING_SECONDS))


READERS: Mapping[str, Mapping[str, Any]] = {
    "rows": {"types": _KINDS, "batch_size": 100, "atomic": True},
    "choking": {"types": _KINDS[:2], "batch_size": 37, "atomic": True, "chokes": True},
    "keyed": {"types": _KINDS, "batch_size": 500},
    "picky": {"types": _KINDS[1:2], "batch_size": 20},
    "teller": {"types": _KINDS, "batch_size": 200},
}


@dataclass(frozen=True)
class Outcome:
    """`readers`: of each what it wanted, and how much of that was `missing`, `doubled` or
    `made_up`. `unread` says that somebody did not come to the end of the log in time."""

    events: int
    kills: int
    stalls: int
    parked: int
    unread: bool
    readers: Mapping[str, Mapping[str, int]]

    @property
    def is_right(self) -> bool:
        faults = sum(
            each[name]
            for each in self.readers.values()
            for name in ("missing", "doubled", "made_up")
        )
        return not faults and not self.unread and self.events > 0


@dataclass
class Role:
    """What a process does, and who does it now."""

    name: str
    work: Callable[[EventLog, UUID], Awaitable[None]]
    leader: UUID = field(default_factory=uuid4)
    pid: int = 0
    stalled_until: float = 0.0


def wreak_havoc(
    database_url: str, redis_url: str, folder: Path, *, seconds: float, seed: int = 11
) -> Outcome:
    """To be called in a process without threads, as it forks. The database is migrated."""
    asyncio.run(_execute(database_url, _TABLES))
    chance = random.Random(seed)
    writers = [Role(f"writer-{number}", _write_events) for number in range(WRITERS)]
    readers = [Role(name, _read_as(name)) for name in (*READERS, "rows", "teller")]
    roles, kills, stalls = [*writers, *readers], 0, 0

    def start(role: Role) -> None:
        role.pid = _fork(role, database_url, redis_url, folder)

    try:
        for role in roles:
            start(role)
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            time.sleep(chance.uniform(0.02, 0.3))
            _wake(roles, now)
            role = chance.choice(readers if chance.random() < _KILLED_READERS else writers)
            if role.stalled_until:
                continue
            if role in readers and chance.random() < _STALLED_READERS and end - now > 15:
                os.kill(role.pid, signal.SIGSTOP)
                role.stalled_until = now + LEASE_TTL.total_seconds() + chance.uniform(0, 3)
                stalls += 1
                continue
            _kill(role)
            if chance.random() > _SAME_LEADER:
                role.leader = uuid4()
            start(role)
            kills += 1
        _wake(roles, float("inf"))
        for role in writers:
            _kill(role)
        unread = not asyncio.run(_wait_for_readers(database_url))
    finally:
        for role in roles:
            _kill(role)
    return asyncio.run(_judge(database_url, kills, stalls, unread))


def _fork(role: Role, database_url: str, redis_url: str, folder: Path) -> int:
    if pid := os.fork():
        return pid
    try:
        log = os.open(folder / f"{role.name}.log", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.dup2(log, 1)
        os.dup2(log, 2)
        random.seed()
        asyncio.run(_live(role, database_url, redis_url))
    finally:
        os._exit(1)


async def _live(role: Role, database_url: str, redis_url: str) -> None:
    """As long as the process that forked us."""
    database = Database(DB, database_url, pool_size=3)
    await database.open()
    doorbell, parent = Doorbell(redis_url), os.getppid()
    log = EventLog(database, doorbell, SystemClock(), Ids())
    async with doorbell.listening():
        working = asyncio.ensure_future(role.work(log, role.leader))
        while os.getppid() == parent and not working.done():
            await asyncio.wait({working}, timeout=0.5)


async def _write_events(log: EventLog, _: UUID) -> None:
    while True:
        with suppress(PillarboxError, ZeroDivisionError):
            async with log.transaction() as transaction:
                for _ in range(random.randint(1, 20)):
                    kind = random.choice(_KINDS)
                    transaction.tell(NewEvent(kind, uuid4(), ("message", uuid4())))
                await transaction.connection.execute("select 1")
                if random.random() < 0.05:
                    raise ZeroDivisionError
        await asyncio.sleep(random.uniform(0, 0.2))


def _read_as(name: str) -> Callable[[EventLog, UUID], Awaitable[None]]:
    async def read(log: EventLog, leader: UUID) -> None:
        effects = Effects(name, log=log, **READERS[name])
        await ConsumerRunner(effects, log, leader, atomic=effects.atomic).run()

    return read


def _kill(role: Role) -> None:
    if role.pid:
        os.kill(role.pid, signal.SIGKILL)
        os.waitpid(role.pid, 0)
        role.pid, role.stalled_until = 0, 0.0


def _wake(roles: Sequence[Role], now: float) -> None:
    for role in roles:
        if role.stalled_until and role.stalled_until <= now:
            os.kill(role.pid, signal.SIGCONT)
            role.stalled_until = 0.0


async def _execute(database_url: str, sql: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(sql)
    await connection.close()


async def _wait_for_readers(database_url: str) -> bool:
    """Until all have come to the end of the log. False when they do not."""
    database = Database(DB, database_url, pool_size=1)
    await database.open()
    try:
        async with asyncio.timeout(_CALM_SECONDS):
            while True:
                states = await read_consumer_states(database, SystemClock().now())
                if len(states) == len(READERS) and not any(each.events_behind for each in states):
                    return True
                await asyncio.sleep(0.1)
    except TimeoutError:
        return False
    finally:
        await database.close()


async def _judge(database_url: str, kills: int, stalls: int, unread: bool) -> Outcome:
    connection = await asyncpg.connect(database_url)
    readers = {
        name: dict(await connection.fetchrow(_JUDGE, name, list(facts["types"])))
        for name, facts in READERS.items()
    }
    events = await connection.fetchval("select count(*) from event")
    parked = await connection.fetchval("select count(*) from parked_event")
    await connection.close()
    return Outcome(events, kills, stalls, parked, unread, readers)


@contextmanager
def _engines(folder: Path) -> Iterator[tuple[str, str]]:
    """A migrated database and a Valkey of our own."""
    postgres = EmbeddedPostgres(data_folder=folder / "pg", socket_folder=folder / "pgs")
    valkey = EmbeddedValkey(data_folder=folder / "kv", socket_folder=folder / "kvs")
    try:
        for engine in (postgres, valkey):
            engine.start()
            engine.wait_ready()
        asyncio.run(_migrate(postgres.url))
        yield postgres.url, valkey.url
    finally:
        valkey.stop()
        postgres.stop()


async def _migrate(database_url: str) -> None:
    await migrate(DB, database_url)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--database", help="a migrated one; default: one of its own")
    parser.add_argument("--redis")
    options = parser.parse_args()
    configure_logging(human=True)
    with tempfile.TemporaryDirectory(prefix="pbx-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        if options.database:
            outcome = wreak_havoc(
                options.database,
                options.redis,
                folder,
                seconds=options.seconds,
                seed=options.seed,
            )
        else:
            with _engines(folder) as (database_url, redis_url):
                outcome = wreak_havoc(
                    database_url, redis_url, folder, seconds=options.seconds, seed=options.seed
                )
        if not outcome.is_right:
            for file in folder.glob("*.log"):
                print(f"== {file.name}\n{file.read_text()[-1500:]}", file=sys.stderr)
    for name, figures in outcome.readers.items():
        print(f"{name:10} {json.dumps(figures)}")
    report(
        "log_chaos",
        {
            "events": outcome.events,
            "kills": outcome.kills,
            "stalls": outcome.stalls,
            "parked": outcome.parked,
            **{
                fault: sum(each[fault] for each in outcome.readers.values())
                for fault in ("missing", "doubled", "made_up")
            },
        },
    )
    return 0 if outcome.is_right else 1


if __name__ == "__main__":
    raise SystemExit(main())
