"""From an event to its arrival at a receiver, while a tenth of all receivers hang."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

sys.path.insert(0, str(Path(__file__).parents[1] / "flows"))
from pillarbox import Pillarbox, installation

from app.access.grants import COMMAND_LINE, Grant
from app.access.permissions import SCOPES
from app.assembly import Services, assemble
from app.cli.installation import find_settings
from app.eventlog.append import MAX_EVENTS_PER_APPEND
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType
from app.webhooks.endpoints import Wish
from tests.benchmarks.report import percentile, report

_GRACE_SECONDS = 10.0
_APPEND_EVERY_SECONDS = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoints", type=int, default=200)
    parser.add_argument("--hanging", type=int, default=20)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with installation(EGRESS_ALLOW="127.0.0.0/8") as pillarbox:
        pillarbox.start()
        measured = measure(
            pillarbox, options.endpoints, options.hanging, options.rate, options.seconds
        )
        delays = asyncio.run(measured)
    expected = int(options.rate * options.seconds)
    expected -= len([n for n in range(expected) if n % options.endpoints < options.hanging])
    report(
        "webhooks",
        {
            "endpoints": options.endpoints,
            "of_them_hanging": options.hanging,
            "events_a_second": options.rate,
            "expected_at_the_others": expected,
            "arrived_at_the_others": len(delays),
            "median_ms": percentile(delays, 0.5),
            "p99_ms": percentile(delays, 0.99),
            "slowest_ms": max(delays),
        },
    )


async def measure(
    pillarbox: Pillarbox, endpoints: int, hanging: int, rate: float, seconds: float
) -> Sequence[float]:
    """Milliseconds from each event to its arrival, at receivers that do not hang."""
    receivers = Receivers(hanging)
    server = await asyncio.start_server(receivers.serve, "127.0.0.1", 0, backlog=1000)
    services = assemble(find_settings(pillarbox.data))
    async with server, services.running():
        port = server.sockets[0].getsockname()[1]
        tenant_id, mailboxes = await set_up(services, port, endpoints)
        await append_steadily(services, tenant_id, mailboxes, rate, int(rate * seconds))
        await asyncio.sleep(_GRACE_SECONDS)
    return receivers.delays


class Receivers:
    """One server for all: the number in the path says which receiver is meant."""

    def __init__(self, hanging: int) -> None:
        self.delays: list[float] = []
        self._hanging = hanging

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            if int(head.split(b" ", 2)[1].lstrip(b"/")) < self._hanging:
                await reader.read()
                return
            told = datetime.fromisoformat(json.loads(body)["timestamp"])
            self.delays.append((time.time() - told.timestamp()) * 1000)
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


async def set_up(services: Services, port: int, endpoints: int) -> tuple[UUID, Sequence[UUID]]:
    """A tenant with a mailbox for each endpoint."""
    tenant = await services.tenants.create("Bench", "enterprise")
    await services.domains.add("bench.example", tenant.id, vouched=True)
    grant = Grant(COMMAND_LINE, tenant.id, SCOPES)
    mailboxes = []
    for number in range(endpoints):
        mailbox = await services.mailboxes.add(f"box{number}@bench.example", tenant.id)
        url = f"http://127.0.0.1:{port}/{number}"
        wish = Wish(url, types=["message.updated"], mailbox_ids=[mailbox.id])
        await services.webhook_endpoints.add(grant, wish)
        mailboxes.append(mailbox.id)
    return tenant.id, mailboxes


async def append_steadily(
    services: Services, tenant_id: UUID, mailboxes: Sequence[UUID], rate: float, count: int
) -> None:
    """For one endpoint after the other; what is due by now goes into one transaction."""
    started, told = time.monotonic(), 0
    while told < count:
        await asyncio.sleep(_APPEND_EVERY_SECONDS)
        due = min(count, int((time.monotonic() - started) * rate), told + MAX_EVENTS_PER_APPEND)
        async with services.log.transaction() as transaction:
            for number in range(told, due):
                transaction.tell(make_event(tenant_id, mailboxes[number % len(mailboxes)]))
        told = due


def make_event(tenant_id: UUID, mailbox_id: UUID) -> NewEvent:
    return NewEvent(
        EventType.MESSAGE_UPDATED,
        trace_id=uuid4(),
        subject=("message", uuid4()),
        tenant_id=tenant_id,
        mailbox_id=mailbox_id,
        data={"is_read": True},
    )


if __name__ == "__main__":
    main()
