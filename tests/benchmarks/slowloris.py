"""Mails a second of a good client: alone, beside 1,000 slow ones, and when slow ones want every
place and more."""

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.synchronize import Event
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "flows"))
from sidecar import Sidecar, sidecar

from app.settings import Listen
from tests.benchmarks.report import report

_PLACES = 2000
_SESSIONS = 8
_BODY = b"Subject: good\r\n\r\n" + (b"x" * 78 + b"\r\n") * 50 + b".\r\n"
# As far as they go at once, and what they dribble from then on. The first never says a word.
_SLOW = (
    (b"", b""),
    (b"", b"N"),
    (b"EHLO slow\r\n", b"N"),
    (
        b"EHLO slow\r\nMAIL FROM:<s@sender.test>\r\nRCPT TO:<ann@example.test>\r\nDATA\r\n",
        b"x",
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    figures: dict[str, float] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        sidecar(Path(folder), SMTP_MAX_CONNECTIONS=str(_PLACES)) as server,
    ):
        figures["alone"] = measure(server, options.seconds)
        for name, count in (("beside_1000_slow", 1000), ("beside_3000_slow", _PLACES + 1000)):
            with slow_clients(server.address, count):
                # After 5 seconds an idle place may be given to someone else.
                time.sleep(6)
                figures[name] = measure(server, options.seconds)
        figures["alone_again"] = measure(server, options.seconds)
        server.stop()
    alone = (figures["alone"] + figures["alone_again"]) / 2
    ratios = {name: figures[name] / alone for name in figures if name.startswith("beside")}
    for name, ratio in ratios.items():
        print(f"{name.replace('_', ' ')}: {ratio:.2f} of the rate alone")
    report("slowloris", figures, ratios)


def measure(server: Sidecar, seconds: float) -> float:
    """Mails a second over `_SESSIONS` sessions, each with a connection for every mail. One that is
    turned away comes again."""
    assert server.address is not None
    return asyncio.run(_send_for(server.address, seconds))


async def _send_for(address: Listen, seconds: float) -> float:
    until = time.monotonic() + seconds
    sent = await asyncio.gather(*(_send_until(address, until) for _ in range(_SESSIONS)))
    return sum(sent) / seconds


async def _send_until(address: Listen, until: float) -> int:
    sent = 0
    while time.monotonic() < until:
        sent += await _send_one(address)
    return sent


async def _send_one(address: Listen) -> bool:
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        greeting = await reader.readline()
        if not greeting.startswith(b"220"):
            assert greeting[:3] in (b"421", b""), greeting
            return False
        writer.write(b"EHLO good\r\n")
        while (await reader.readline())[3:4] == b"-":
            pass
        writer.write(b"MAIL FROM:<g@sender.test>\r\nRCPT TO:<ann@example.test>\r\nDATA\r\n")
        for code in (b"250", b"250", b"354"):
            assert (await reader.readline())[:3] == code
        writer.write(_BODY)
        reply = await reader.readline()
        assert reply.startswith(b"250"), reply
        return True
    finally:
        writer.close()


@contextmanager
def slow_clients(address: Listen | None, count: int) -> Iterator[None]:
    """In a process of their own, once all have connected."""
    context = multiprocessing.get_context("spawn")
    connected, enough = context.Event(), context.Event()
    process = context.Process(target=dribble, args=(address, count, connected, enough))
    process.start()
    try:
        assert connected.wait(30)
        yield
    finally:
        enough.set()
        process.join(30)


def dribble(address: Listen, count: int, connected: Event, enough: Event) -> None:
    asyncio.run(_dribble(address, count, connected, enough))


async def _dribble(address: Listen, count: int, connected: Event, enough: Event) -> None:
    writers: list[asyncio.StreamWriter | None] = [None] * count
    readings: set[asyncio.Task[None]] = set()
    while not enough.is_set():
        for number in range(count):
            writer = writers[number]
            if writer is None or writer.is_closing():
                with suppress(OSError):
                    writers[number] = await _connect_slowly(address, number, readings)
            else:
                writer.write(_SLOW[number % len(_SLOW)][1])
        connected.set()
        await asyncio.sleep(1)


async def _connect_slowly(
    address: Listen, number: int, readings: "set[asyncio.Task[None]]"
) -> asyncio.StreamWriter:
    """Each from an address of its own: 127.0.0.2 and up."""
    local = f"127.0.{(number + 2) // 256}.{(number + 2) % 256}"
    reader, writer = await asyncio.open_connection(
        address.host, address.port, local_addr=(local, 0)
    )
    writer.write(_SLOW[number % len(_SLOW)][0])
    # Something has to read, so that the connection is known to be closed when it is.
    readings.add(reading := asyncio.create_task(_read(reader)))
    reading.add_done_callback(readings.discard)
    return writer


async def _read(reader: asyncio.StreamReader) -> None:
    with suppress(OSError):
        await reader.read()


if __name__ == "__main__":
    main()
