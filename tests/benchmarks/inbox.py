"""The list of 50 rows and a message, as a signed-in browser asks for them.

A tenant of 1,000 messages and one of 200,000 are asked in turn, so that the ratio is of one run.
A list is kept until something happens in its tenant, so one is also measured right after each of a
row of changes.
"""

import argparse
import asyncio
import gzip
import hashlib
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from urllib.parse import urlencode, urlsplit
from uuid import UUID, uuid4

import asyncpg
import httpx

sys.path.insert(0, str(Path(__file__).parents[1] / "flows"))
from pillarbox import Pillarbox, installation

from app.assembly import assemble
from app.settings import read_settings
from tests.benchmarks.report import percentile, report

_SMALL, _LARGE = 1000, 200_000
_AT_ONCE = 8
_WARM_UP_SECONDS = 2

_COLUMNS = (
    *("id", "tenant_id", "mailbox_id", "trace_id", "identity", "fingerprint", "sha256"),
    *("content_sha256", "size_bytes", "envelope_from", "from_name", "from_address", "to_header"),
    *("cc_header", "subject", "snippet", "received_at", "attachment_count", "is_read"),
    "is_starred",
)


@dataclass(frozen=True)
class Person:
    """Somebody signed in, and one of the messages there are for them."""

    cookie: str
    message_id: UUID


async def prepare(pillarbox: Pillarbox) -> Mapping[int, Person]:
    """Tenants of both sizes with a signed-in user each."""
    environment = json.loads((pillarbox.data / "run.json").read_text())["environment"]
    services = assemble(read_settings(environment))
    people = {}
    async with services.running():
        connection = await asyncpg.connect(services.database.url)
        for count in (_SMALL, _LARGE):
            tenant = await services.tenants.create(f"Bench {count}", "developer")
            await services.domains.add(f"b{count}.test", tenant.id, vouched=True)
            mailbox = await services.mailboxes.add(f"box@b{count}.test", tenant.id)
            user = await services.users.add(f"a@b{count}.test", tenant.id, "agent")
            rows = made_up_mail(tenant.id, mailbox.id, count)
            await connection.copy_records_to_table("message", columns=_COLUMNS, records=rows)
            message_id = await connection.fetchval(
                """insert into message_body (message_id, tenant_id, text, html)
                select id, tenant_id, repeat(snippet || E'\\n', 20),
                    '<p>' || repeat(snippet || '</p><p style="color:#333">', 20)
                from message where tenant_id = $1 order by received_at limit 1
                returning message_id""",
                tenant.id,
            )
            link = await services.sign_in.create_link(user.id)
            async with httpx.AsyncClient(base_url=pillarbox.url) as client:
                answer = await client.post(f"/sign-in/{link}")
            cookie = answer.headers["set-cookie"].partition(";")[0]
            people[count] = Person(cookie, message_id)
        await connection.execute("vacuum analyze", timeout=300)
        await connection.execute("checkpoint", timeout=300)
        await connection.close()
    return people


def made_up_mail(tenant_id: UUID, mailbox_id: UUID, count: int) -> Iterator[Sequence[object]]:
    """Rows of different lengths, as mail has them, newest first."""
    random = Random(7)
    words = ["".join(random.choices("etaoinshrdlu", k=random.randint(2, 9))) for _ in range(900)]
    now = datetime.now(UTC)
    for number in range(count):
        text = " ".join(random.choices(words, k=30))
        name = " ".join(random.choices(words, k=2)).title()
        digest = hashlib.sha256(number.to_bytes(4, "big")).digest()
        yield (
            *(uuid4(), tenant_id, mailbox_id, uuid4(), digest, digest, digest, digest, 4096),
            *(f"{words[number % 900]}@example.org", name, f"{words[number % 900]}@example.org"),
            *("box@example.test", "", text[: 20 + number % 50], text[:200]),
            now - timedelta(minutes=7 * number),
            *(int(number % 5 == 0), number % 3 > 0, number % 11 == 0),
        )


class Browser:
    """One kept-open connection that asks as a browser does and reads every byte."""

    def __init__(self, url: str) -> None:
        self._host = urlsplit(url).netloc
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str, cookie: str, *more: str) -> bytes:
        """The answer as it was on the wire, head and body."""
        return await self._ask("GET", path, cookie, more, b"")

    async def post(self, path: str, cookie: str, form: Mapping[str, str]) -> bytes:
        body = urlencode(form).encode()
        more = (
            "HX-Request: true",
            f"Origin: http://{self._host}",
            "Content-Type: application/x-www-form-urlencoded",
            f"Content-Length: {len(body)}",
        )
        return await self._ask("POST", path, cookie, more, body)

    async def _ask(
        self, method: str, path: str, cookie: str, more: Sequence[str], body: bytes
    ) -> bytes:
        if self._streams is None:
            host, port = self._host.rsplit(":", 1)
            self._streams = await asyncio.open_connection(host, int(port))
        reader, writer = self._streams
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {self._host}",
            "Accept: text/html",
            "Accept-Encoding: gzip",
            f"Cookie: {cookie}",
            *more,
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(head.decode())
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        return head + await reader.readexactly(int(length))


async def measure_in_turn(
    url: str, people: Mapping[int, Person], rounds: int
) -> Mapping[int, Sequence[float]]:
    """Milliseconds of each list, the small and the large tenant in turn."""
    browser = Browser(url)
    times: dict[int, list[float]] = {count: [] for count in people}
    for number in range(rounds + 50):
        for count, person in people.items():
            start = time.perf_counter()
            await browser.get("/inbox", person.cookie)
            if number >= 50:
                times[count].append((time.perf_counter() - start) * 1000)
    return times


async def measure_after_changes(url: str, person: Person, rounds: int) -> Sequence[float]:
    """Milliseconds of each list, a message of which somebody has just given a star or taken it."""
    browser, times = Browser(url), []
    answer = await browser.get("/inbox", person.cookie)
    page = gzip.decompress(answer.partition(b"\r\n\r\n")[2]).decode()
    token, newest = (
        re.findall(rf'name="{name}" value="([^"]+)"', page)[0] for name in ("csrf_token", "ids")
    )
    for number in range(rounds + 20):
        form = {("star", "unstar")[number % 2]: newest, "csrf_token": token}
        await browser.post("/inbox/actions", person.cookie, form)
        start = time.perf_counter()
        await browser.get("/inbox", person.cookie)
        if number >= 20:
            times.append((time.perf_counter() - start) * 1000)
    return times


async def measure_opening(url: str, person: Person, rounds: int) -> tuple[Sequence[float], int]:
    """Milliseconds to open a message, and the bytes of the answer."""
    browser, times, size = Browser(url), [], 0
    for number in range(rounds + 20):
        start = time.perf_counter()
        answer = await browser.get(
            f"/inbox/m/{person.message_id}", person.cookie, "HX-Request: true"
        )
        if number >= 20:
            times.append((time.perf_counter() - start) * 1000)
            size = len(answer)
    return times, size


async def measure_at_once(
    url: str, person: Person, seconds: float
) -> tuple[float, Sequence[float]]:
    """Lists a second with eight asking at once, and the milliseconds of each. They ask a little
    before they count, until each process has served some."""
    begin = time.perf_counter() + _WARM_UP_SECONDS
    end = begin + seconds
    times: list[float] = []

    async def ask() -> None:
        browser = Browser(url)
        while (start := time.perf_counter()) < end:
            await browser.get("/inbox", person.cookie)
            if start >= begin:
                times.append((time.perf_counter() - start) * 1000)

    await asyncio.gather(*(ask() for _ in range(_AT_ONCE)))
    return len(times) / seconds, times


async def measure(pillarbox: Pillarbox, options: argparse.Namespace) -> None:
    people = await prepare(pillarbox)
    lists = await measure_in_turn(pillarbox.url, people, options.rounds)
    changed = await measure_after_changes(pillarbox.url, people[_LARGE], options.rounds)
    openings, opening_bytes = await measure_opening(pillarbox.url, people[_LARGE], options.rounds)
    rate, at_once = await measure_at_once(pillarbox.url, people[_LARGE], options.seconds)
    page = await Browser(pillarbox.url).get("/inbox", people[_LARGE].cookie)
    small, large = (percentile(lists[count], 0.5) for count in (_SMALL, _LARGE))
    report(
        "inbox",
        {
            "list_of_1000_median_ms": small,
            "list_of_200000_median_ms": large,
            "list_of_200000_p99_ms": percentile(lists[_LARGE], 0.99),
            "list_after_a_change_median_ms": percentile(changed, 0.5),
            "lists_a_second_8_at_once": rate,
            "8_at_once_p99_ms": percentile(at_once, 0.99),
            "list_bytes_on_the_wire": len(page),
            "message_median_ms": percentile(openings, 0.5),
            "message_bytes_on_the_wire": opening_bytes,
        },
        {"large_to_small": large / small},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    with installation(WEB_CONCURRENCY="2") as pillarbox:
        pillarbox.start()
        asyncio.run(measure(pillarbox, options))


if __name__ == "__main__":
    main()
