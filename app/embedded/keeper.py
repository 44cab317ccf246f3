"""Keeps services running: starts them, waits for them, starts them again, stops the last first."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Self

from app.core.backoff import Backoff
from app.core.errors import PillarboxError
from app.embedded.errors import StartFailed
from app.embedded.guard import Guard
from app.embedded.process import wait_end
from app.embedded.services import Service

_POLL_SECONDS = 0.05
_PATIENCE_SECONDS = 5.0
_STEADY_SECONDS = 30.0
_RESTART = Backoff(first_seconds=0.2, ceiling_seconds=15.0)


class Keeper:
    """A context: leaving it stops all services, each before those that were started earlier."""

    def __init__(self, guard: Guard, say: Callable[[str], None]) -> None:
        self.guard = guard
        self._say = say
        self._undo = contextlib.AsyncExitStack()
        self._watchers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self.guard.start()
        self._undo.callback(self.guard.stop)
        self._watch(self._keep_guard())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._undo.aclose()

    def start(self, service: Service) -> None:
        """Raises `PillarboxError` or OSError."""
        service.start()
        self._undo.push_async_callback(service.stop)

    async def keep_once_ready(self, service: Service) -> None:
        """Return when it is ready, and start it again from then on whenever it ends.

        Raises `StartFailed` if it ends before that, or takes too long.
        """
        await self._wait_ready(service)
        self._watch(self._keep(service))

    async def watch(self) -> None:
        """Never returns; raises what a watcher did not expect."""
        await asyncio.gather(*self._watchers)

    def _watch(self, watching: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(watching)
        self._watchers.append(task)
        self._undo.push_async_callback(_cancel, task)

    async def _wait_ready(self, service: Service) -> None:
        now = time.monotonic()
        deadline, patience = now + service.ready_seconds, now + _PATIENCE_SECONDS
        while not await service.is_ready():
            if service.process is None or service.process.poll() is not None:
                raise StartFailed(f"{service.describe_end()}, before it was ready.")
            if time.monotonic() > deadline:
                raise StartFailed(f"{service.name} was not ready in {service.ready_seconds:.0f} s.")
            if time.monotonic() > patience:
                self._say(f"Waiting for {service.name}.")
                patience += _PATIENCE_SECONDS
            await asyncio.sleep(_POLL_SECONDS)
        self._say(f"{service.name} is ready.")

    async def _keep(self, service: Service) -> None:
        failures = 0
        while True:
            since = time.monotonic()
            await service.wait_end()
            if time.monotonic() - since > _STEADY_SECONDS:
                failures = 0
            failures += 1
            self._say(f"{service.describe_end()}; starting it again.")
            await asyncio.sleep(_RESTART.delay_seconds(failures))
            try:
                service.start()
                await self._wait_ready(service)
            except (PillarboxError, OSError) as error:
                self._say(str(error))

    async def _keep_guard(self) -> None:
        while True:
            await wait_end(self.guard.process)
            self.guard.start()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
