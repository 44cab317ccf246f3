"""The tiny HTTP listener answers one question, and nothing else for long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from app.core import metrics_server
from app.core.errors import BadSetting
from app.core.metrics import Metrics
from app.core.metrics_server import MetricsServer


@pytest.fixture
async def address() -> AsyncIterator[tuple[str, int]]:
    metrics = Metrics()
    metrics.counter("x_total", "Things.").count(amount=7)
    server = MetricsServer(metrics)
    (address,) = await server.start("127.0.0.1", 0)
    yield address
    server.close()


async def ask(address: tuple[str, int], request: bytes) -> tuple[str, bytes]:
    """The first line of the response, and what comes after its head."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(request)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return head.partition(b"\r\n")[0].decode(), body


async def test_metrics_are_served_as_text(address: tuple[str, int]) -> None:
    status, body = await ask(address, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert status == "HTTP/1.1 200 OK"
    assert b"\nx_total 7.0\n" in body


async def test_head_has_no_body(address: tuple[str, int]) -> None:
    assert await ask(address, b"HEAD /metrics HTTP/1.1\r\n\r\n") == ("HTTP/1.1 200 OK", b"")


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET / HTTP/1.1", "404 Not Found"),
        (b"GET /metrics/x HTTP/1.1", "404 Not Found"),
        (b"POST /metrics HTTP/1.1", "405 Method Not Allowed"),
        (b"GET /metrics", "400 Bad Request"),
        (b"GET /metrics HTTP/2", "400 Bad Request"),
        (b"\x16\x03\x01", "400 Bad Request"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 10_000, "400 Bad Request"),
    ],
)
async def test_anything_else_is_refused(
    address: tuple[str, int], request_head: bytes, status: str
) -> None:
    assert await ask(address, request_head + b"\r\n\r\n") == (f"HTTP/1.1 {status}", b"")


async def test_client_that_says_nothing_is_dropped(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_server, "_PATIENCE_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET /metrics")
    with suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()


async def test_more_clients_than_it_serves_are_dropped(address: tuple[str, int]) -> None:
    silent = [await asyncio.open_connection(*address) for _ in range(16)]
    with suppress(ConnectionResetError):
        assert await ask(address, b"GET /metrics HTTP/1.1\r\n\r\n") == ("", b"")
    for _, writer in silent:
        writer.close()


async def test_start_is_refused_when_the_port_is_taken(address: tuple[str, int]) -> None:
    with pytest.raises(BadSetting, match="METRICS_LISTEN"):
        await MetricsServer(Metrics()).start(*address)
