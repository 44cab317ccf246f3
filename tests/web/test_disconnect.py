"""Work that ends with the client it is for."""

import asyncio
from typing import Any

import pytest
from litestar import Request

from app.web.disconnect import while_connected


def request_of(*messages: str) -> tuple[Request[Any, Any, Any], asyncio.Event]:
    """A request of a client that goes away when the event is set."""
    left, gone = list(messages), asyncio.Event()

    async def receive() -> Any:
        if not left:
            await gone.wait()
        return {"type": left.pop(0) if left else "http.disconnect"}

    return Request({"type": "http", "headers": []}, receive), gone  # type: ignore[arg-type]


async def test_work_is_cancelled_when_the_client_goes_away() -> None:
    request, gone = request_of("http.request")
    ended = asyncio.Event()

    async def work() -> str:
        try:
            return await asyncio.Future()
        finally:
            ended.set()

    waiting = asyncio.create_task(while_connected(request, work()))
    await asyncio.sleep(0)
    gone.set()
    assert await waiting is None
    assert ended.is_set()


async def test_work_comes_to_what_it_comes_to_while_the_client_is_there() -> None:
    async def answer() -> str:
        return "done"

    async def fail() -> str:
        raise ValueError("no")

    assert await while_connected(request_of("http.request")[0], answer()) == "done"
    with pytest.raises(ValueError, match="no"):
        await while_connected(request_of()[0], fail())
