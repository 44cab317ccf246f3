"""From the 250 to the answer of whoever waits: 200 clients at once, on one web process."""

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1] / "flows"))
from pillarbox import Pillarbox, compose, installation, send

from tests.benchmarks.report import percentile, report

_SETTLE_SECONDS = 10.0


@dataclass(frozen=True)
class Client:
    """One who waits: where, for what, and the address that the mail goes to."""

    mailbox: str
    match: str
    address: str


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--rate", type=float, default=20)
    options = parser.parse_args()
    with installation(WEB_CONCURRENCY="1") as pillarbox:
        pillarbox.start()
        pillarbox.run("tenant", "create", "Bench", "--plan", "developer")
        pillarbox.run("domain", "add", "bench.test", "--tenant", "Bench")
        scopes = ("--scope", "messages:read", "--scope", "mailboxes:write")
        key = pillarbox.run("key", "create", "--tenant", "Bench", *scopes)
        async with httpx.AsyncClient(
            base_url=f"{pillarbox.url}/api/v1",
            headers={"authorization": f"Bearer {key}"},
            timeout=150,
            limits=httpx.Limits(max_connections=options.clients),
        ) as api:
            addresses = [f"box{number}@bench.test" for number in range(options.clients)]
            await create(api, [*addresses, "@bench.test"])
            own = [Client(each, "subject:mail", each) for each in addresses]
            shared = [
                Client("@bench.test", f"to:{each}", each)
                for each in (f"guest{number}@bench.test" for number in range(options.clients))
            ]
            figures = {
                "clients": options.clients,
                "mails_a_second": options.rate,
                **name("own_mailbox", await measure(pillarbox, api, own, options.rate)),
                **name("shared_mailbox", await measure(pillarbox, api, shared, options.rate)),
                **name("all_at_once", await measure(pillarbox, api, own, rate=10_000)),
            }
    report("wait", figures)


async def create(api: httpx.AsyncClient, addresses: Sequence[str]) -> None:
    for address in addresses:
        made = await api.post("/mailboxes", json={"address": address})
        assert made.status_code == 201, made.text
    await asyncio.sleep(_SETTLE_SECONDS)


async def measure(
    pillarbox: Pillarbox, api: httpx.AsyncClient, clients: Sequence[Client], rate: float
) -> Sequence[float]:
    """The delay of each answer behind the 250 of its mail, in milliseconds."""
    position = (await wait(api, clients[0], timeout=0))[1]
    waiting = [asyncio.create_task(wait(api, each, after=position)) for each in clients]
    await asyncio.sleep(_SETTLE_SECONDS)
    accepted = await asyncio.to_thread(deliver, pillarbox, clients, rate)
    answered = await asyncio.gather(*waiting)
    return [
        (moment - accepted[client.address]) * 1000
        for client, (moment, _) in zip(clients, answered, strict=True)
    ]


async def wait(
    api: httpx.AsyncClient, client: Client, *, timeout: int = 120, after: int = 0
) -> tuple[float, int]:
    """When the answer was there, and its position."""
    query = {"mailbox": client.mailbox, "match": client.match, "timeout": timeout, "after": after}
    answer = await api.get("/messages/wait", params=query)
    moment = time.monotonic()
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert timeout == 0 or told["message"]["to"] == client.address, told
    return moment, told["position"]


def deliver(pillarbox: Pillarbox, clients: Sequence[Client], rate: float) -> Mapping[str, float]:
    """When the server answered 250 to the mail of each address."""
    accepted = {}
    with pillarbox.connect() as smtp:
        smtp.ehlo("client.example.org")
        start = time.monotonic()
        for number, client in enumerate(clients):
            time.sleep(max(0.0, start + number / rate - time.monotonic()))
            data = compose(client.address, f"{number}-{start}", size_bytes=4096)
            assert send(smtp, client.address, data)
            accepted[client.address] = time.monotonic()
    return accepted


def name(what: str, delays: Sequence[float]) -> Mapping[str, float]:
    return {
        f"{what}_median_ms": percentile(delays, 0.5),
        f"{what}_p99_ms": percentile(delays, 0.99),
        f"{what}_slowest_ms": max(delays),
    }


if __name__ == "__main__":
    asyncio.run(main())
