"""What `pillarbox up` runs, and how it finds out that it is ready."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.embedded import children
from app.embedded.children import accepts_tcp, answers_http, pillarbox_children
from app.settings import Listen


@asynccontextmanager
async def server(answer: bytes) -> AsyncIterator[Listen]:
    """Answers every connection with `answer`; with none, stays silent until it is closed."""
    closing = asyncio.Event()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        if not answer:
            await closing.wait()
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield Listen("127.0.0.1", listener.sockets[0].getsockname()[1])
        closing.set()


def test_the_doors_open_last() -> None:
    every = pillarbox_children(Listen("127.0.0.1", 8000), Listen("127.0.0.1", 2525))
    assert [child.name for child in every] == ["worker", "web", "smtp"]
    assert every[0].argv == (sys.executable, "-m", "app.cli", "worker")


@pytest.mark.parametrize(("status", "ready"), [(b"200 OK", True), (b"503 Not yet", False)])
async def test_a_web_is_ready_when_it_answers_with_success(status: bytes, ready: bool) -> None:
    async with server(b"HTTP/1.1 " + status + b"\r\n\r\n") as listen:
        assert await answers_http(listen, "/api/v1/ready")() is ready


async def test_a_web_is_not_ready_when_it_stays_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "_ANSWER_SECONDS", 0.05)
    async with server(b"") as listen:
        assert not await answers_http(listen, "/")()


async def test_a_server_is_ready_when_it_accepts() -> None:
    async with server(b"220 ready\r\n") as listen:
        assert await accepts_tcp(listen)()
    assert not await accepts_tcp(listen)()
