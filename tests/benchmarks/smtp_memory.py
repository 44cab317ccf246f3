"""Resident memory of the sidecar: with 1,000 idle connections, and while 200 send 20 MB each."""

import argparse
import asyncio
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "flows"))
from sidecar import Sidecar, sidecar

from app.settings import Listen
from tests.benchmarks.report import report

_LINES = (b"x" * 78 + b"\r\n") * 800


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--senders", type=int, default=200)
    parser.add_argument("--megabytes", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="where the spool is made, on a real disk")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, sidecar(Path(folder)) as server:
        figures["mb_at_start"] = resident_mb(server, "VmRSS")
        asyncio.run(_hold_idle(server, options.idle, figures))
        server.stop()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, sidecar(Path(folder)) as server:
        started = time.monotonic()
        asyncio.run(_send_all(server.address, options.senders, options.megabytes * 1_000_000))
        seconds = time.monotonic() - started
        figures[f"mb_at_most_while_{options.senders}_send_{options.megabytes}_mb"] = resident_mb(
            server, "VmHWM"
        )
        figures["mb_received_a_second"] = options.senders * options.megabytes / seconds
        server.stop()
    report("smtp-memory", figures)


def resident_mb(server: Sidecar, field: str) -> float:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    assert found, status
    return int(found[1]) * 1024 / 1e6


async def _hold_idle(server: Sidecar, count: int, figures: dict[str, float]) -> None:
    clients = [await _greet(server.address) for _ in range(count)]
    figures[f"mb_with_{count}_idle"] = resident_mb(server, "VmRSS")
    for _, writer in clients:
        writer.close()


async def _send_all(address: Listen | None, count: int, size_bytes: int) -> None:
    await asyncio.gather(*(_send(address, size_bytes) for _ in range(count)))


async def _send(address: Listen | None, size_bytes: int) -> None:
    reader, writer = await _greet(address)
    writer.write(b"MAIL FROM:<g@sender.test>\r\nRCPT TO:<ann@example.test>\r\nDATA\r\n")
    for code in (b"250", b"250", b"354"):
        assert (await reader.readline())[:3] == code
    for _ in range(size_bytes // len(_LINES) + 1):
        writer.write(_LINES)
        await writer.drain()
    writer.write(b".\r\n")
    reply = await reader.readline()
    assert reply.startswith(b"250"), reply
    writer.close()


async def _greet(address: Listen | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    assert address is not None
    reader, writer = await asyncio.open_connection(address.host, address.port)
    assert (await reader.readline()).startswith(b"220")
    writer.write(b"EHLO client.test\r\n")
    while (await reader.readline())[3:4] == b"-":
        pass
    return reader, writer


if __name__ == "__main__":
    main()
