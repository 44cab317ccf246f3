"""How fast a consumer is handed a million events again, while others append.

The events lie in the log already, and the consumer has been through all of them. It follows what
comes new at the same time, and checks that each event is handed to it in its order.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import uvloop

from app.assembly import Services, assemble
from app.core.collector import collect_seldom
from app.core.log import configure_logging
from app.core.secrets import Secret
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.valkey import EmbeddedValkey
from app.eventlog.consumer import ConsumerRunner
from app.eventlog.consumer_states import start_consumer
from app.eventlog.event import Event, NewEvent
from app.eventlog.replays import Replay, Replays
from app.eventlog.types import EventType
from app.settings import Settings
from app.storage.db.migrate import migrate
from piccolo_conf import DB
from tests.benchmarks.report import report

_AT_ONCE = 50_000
_FILL = """
insert into event (id, tenant_id, mailbox_id, type, trace_id, subject_type, subject_id, data,
    created_at)
select gen_random_uuid(), $1, $1, 'ingest.received', gen_random_uuid(), 'message',
    gen_random_uuid(), $2::jsonb, now() from generate_series(1, $3)
"""
_DATA = """{"item_id": "0190a0a0-0000-7000-8000-000000000000", "source": "smtp",
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "size_bytes": 4096}"""


@dataclass
class Counting:
    """Counts what it is handed: again up to `filled`, new beyond."""

    filled: int
    name: str = "counting"
    types: Sequence[str] = (EventType.INGEST_RECEIVED,)
    batch_size: int = 5000
    again: int = 0
    new: int = 0
    _last: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})

    async def handle(self, events: Sequence[Event]) -> Sequence[NewEvent]:
        for event in events:
            is_new = event.position > self.filled
            assert event.position > self._last[is_new], "out of order, or twice"
            assert event.data["size_bytes"] == 4096
            self._last[is_new] = event.position
        new = sum(event.position > self.filled for event in events)
        self.new, self.again = self.new + new, self.again + len(events) - new
        return []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--appends", type=int, default=50, help="a second, of 10 events each")
    options = parser.parse_args()
    configure_logging(human=True)
    with tempfile.TemporaryDirectory(prefix="pbx-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        postgres = EmbeddedPostgres(data_folder=root / "pg", socket_folder=root / "pgs")
        valkey = EmbeddedValkey(data_folder=root / "kv", socket_folder=root / "kvs")
        try:
            for engine in (postgres, valkey):
                engine.start()
                engine.wait_ready()
            settings = Settings(
                pillarbox_data=root / "data",
                database_url=Secret(postgres.url),
                redis_url=Secret(valkey.url),
                secret_key=Secret("s" * 40),
                encryption_key=Secret("e" * 40),
            )
            return uvloop.run(_measure(settings, options.events, options.appends))
        finally:
            valkey.stop()
            postgres.stop()


async def _measure(settings: Settings, events: int, appends: int) -> int:
    assert settings.database_url
    await migrate(DB, settings.database_url.reveal())
    services = assemble(settings)
    async with services.running():
        await _fill(services, events)
        counting = Counting(filled=events)
        await start_consumer(services.log, counting.name, events + 1)
        runner = ConsumerRunner(counting, services.log, uuid4())
        tasks = [
            asyncio.create_task(runner.run()),
            asyncio.create_task(_append(services, appends)),
        ]
        collect_seldom()
        began, began_cpu = time.perf_counter(), time.process_time()
        asked = await Replays(services.log).ask(counting.name, 1, events)
        done = await _wait_for_end(services, asked)
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    assert done.event_count == counting.again == events
    rate = events / seconds
    figures = {
        "events": events,
        "seconds": seconds,
        "cpu_seconds_of_this_process": cpu_seconds,
        "events_a_second": rate,
        "new_events_handled_meanwhile": counting.new,
    }
    report("replay", figures, {"asked": rate / 20_000})
    return 0 if rate >= 20_000 and counting.new else 1


async def _fill(services: Services, events: int) -> None:
    tenant_id = uuid4()
    for start in range(0, events, _AT_ONCE):
        count = min(_AT_ONCE, events - start)
        await services.log.room.ensure(start + count)
        await services.database.execute(_FILL, tenant_id, _DATA, count)
    await services.database.execute("analyze event")


async def _append(services: Services, appends: int) -> None:
    data = {"size_bytes": 4096}
    while True:
        async with services.log.transaction() as transaction:
            for _ in range(10):
                transaction.tell(
                    NewEvent(
                        EventType.INGEST_RECEIVED,
                        trace_id=uuid4(),
                        subject=("message", uuid4()),
                        data=data,
                    )
                )
        await asyncio.sleep(1 / appends)


async def _wait_for_end(services: Services, asked: Replay) -> Replay:
    while True:
        found = await Replays(services.log).find(asked.id)
        if found is not None and found.finished_at is not None:
            return found
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    raise SystemExit(main())
