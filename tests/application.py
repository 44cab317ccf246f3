"""An ASGI application as the tests call it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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
