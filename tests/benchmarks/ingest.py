"""Mails of 4 KB a second from SMTP to visible rows, and memory while a long backlog is read."""

import argparse
import asyncio
import os
import re
import resource
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx

from app.core.clock import SystemClock
from app.core.ids import Ids
from app.storage.spool.folder_writer import FolderLimits
from app.storage.spool.forms import FolderSpool
from app.storage.spool.port import Envelope, ItemMetadata

sys.path.insert(0, str(Path(__file__).parents[1] / "flows"))
from pillarbox import Inbox, Pillarbox, compose, installation, send

from tests.benchmarks.report import report

_SIZE_BYTES = 4096
# All goes into one temporary inbox, which lives long enough and has no limits.
_ENVIRONMENT = {
    "TEMPORARY_TTL_SECONDS": "86400",
    "TEMPORARY_MAX_MESSAGES": "0",
    "TEMPORARY_MAX_INBOX_BYTES": "0",
    "TEMPORARY_MESSAGES_PER_HOUR": "0",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=6000)
    parser.add_argument("--backlog", type=int, default=100_000)
    options = parser.parse_args()
    with installation(**_ENVIRONMENT) as pillarbox:
        pillarbox.start()
        inbox = pillarbox.create_inbox()
        counter = Counter(pillarbox, inbox)
        figures = measure_rate(pillarbox, inbox, counter, options.mails)
        if options.backlog:
            figures |= measure_backlog(pillarbox, inbox, counter, options.backlog)
    report("ingest", figures)


class Counter:
    """How many rows the page of an inbox would list now."""

    def __init__(self, pillarbox: Pillarbox, inbox: Inbox) -> None:
        self._client = httpx.Client(timeout=30)
        self._url = inbox.url

    def rows(self) -> int:
        page = self._client.get(self._url).text
        found = re.search(r"([\d,]+) messages?</span>", page)
        assert found, page
        return int(found[1].replace(",", ""))


def measure_rate(
    pillarbox: Pillarbox, inbox: Inbox, counter: Counter, mails: int
) -> dict[str, float]:
    """From the first 250 until the last row can be seen, sender, engines and web running."""
    threads = [
        threading.Thread(target=send_part, args=(pillarbox, inbox, range(part, mails, 4)))
        for part in range(4)
    ]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent = time.monotonic()
    while counter.rows() < mails:
        time.sleep(0.05)
    seen = time.monotonic()
    return {
        "mails": mails,
        "accepted_a_second": mails / (sent - started),
        "visible_a_second": mails / (seen - started),
    }


def send_part(pillarbox: Pillarbox, inbox: Inbox, numbers: range) -> None:
    with pillarbox.connect() as client:
        client.ehlo("client.example.org")
        for number in numbers:
            assert send(client, inbox.address, compose(inbox.address, number, _SIZE_BYTES))


def measure_backlog(
    pillarbox: Pillarbox, inbox: Inbox, counter: Counter, count: int
) -> dict[str, float]:
    """The worker's memory while it reads `count` items that waited for it."""
    before = counter.rows()
    (pid,) = pillarbox.children()["worker"]
    os.kill(pid, signal.SIGSTOP)
    asyncio.run(fill_spool(pillarbox, inbox, count))
    os.kill(pid, signal.SIGCONT)
    started = time.monotonic()
    early = late = 0.0
    while (done := counter.rows() - before) < count:
        late = resident_mb(pid)
        if done < count // 10:
            early = late
        time.sleep(0.5)
    elapsed = time.monotonic() - started
    return {
        "backlog": count,
        "backlog_read_a_second": count / elapsed,
        "worker_mb_in_first_tenth": early,
        "worker_mb_at_the_end": late,
    }


async def fill_spool(pillarbox: Pillarbox, inbox: Inbox, count: int) -> None:
    spool = FolderSpool(
        pillarbox.data / "spool", SystemClock(), Ids(), FolderLimits(min_free_bytes=0)
    )
    writer = await spool.open_writer("backlog")
    ids = Ids()
    for start in range(0, count, 500):
        await asyncio.gather(
            *(
                writer.put(describe(ids, inbox), compose(inbox.address, f"b{number}", _SIZE_BYTES))
                for number in range(start, min(count, start + 500))
            )
        )
    await writer.close()


def describe(ids: Ids, inbox: Inbox) -> ItemMetadata:
    return ItemMetadata(
        item_id=ids.new(),
        trace_id=ids.new(),
        received_at=datetime.now(UTC),
        envelope=Envelope("sender@example.org", (inbox.address,)),
        source="smtp",
        source_id="",
        client_address="127.0.0.1",
        client_name="client.example.org",
        prefix_size_bytes=0,
    )


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    main()
