"""An ASGI application as the tests call it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from litestar import Litestar


@asynccontextmanager
async def serving(app: Litestar, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the running application. Its lifespan has a task of its own, as in a server."""
    started, ended = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await ended.wait()

    life = asyncio.create_task(live())
    starting = asyncio.create_task(started.wait())
    await asyncio.wait({life, starting}, return_when=asyncio.FIRST_COMPLETED)
    if life.done():
        life.result()
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://pillarbox.test", headers=headers
    ) as client:
        yield client
    ended.set()
    await life


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Sequence[tuple[str, str]]

    def header(self, name: str) -> str:
        """Empty where there is none; the last where there are several."""
        return dict(self.headers).get(name, "")


async def begin_answer(
    app: Litestar, method: str, path: str, query: bytes = b"", body: bytes = b"", **headers: bytes
) -> Answer:
    """Asks as a server does, with whatever bytes, and hangs up as soon as an answer begins: so a
    stream without end is one answer among others. An exception that the application lets through
    is raised here. Underscores in the names of headers stand for hyphens."""
    begun: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    requests = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Any:
        if message := next(requests, None):
            return message
        await asyncio.wait([begun])
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start" and not begun.done():
            given = [(name.decode(), value.decode("latin-1")) for name, value in message["headers"]]
            begun.set_result(Answer(message["status"], given))

    encoded = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": quote(path).encode(),
        "root_path": "",
        "query_string": query,
        "client": ("192.0.2.1", 5),
        "server": ("pillarbox.test", 80),
        "headers": [(b"host", b"pillarbox.test"), *encoded],
    }
    task = asyncio.ensure_future(app(scope, receive, send))
    await asyncio.wait([task, begun], return_when=asyncio.FIRST_COMPLETED)
    if begun.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return begun.result()
    task.result()
    raise AssertionError("there was no answer")
