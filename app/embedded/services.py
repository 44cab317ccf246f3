"""Engines and children in the one form that the supervisor starts, watches and stops."""

import asyncio
import signal
import subprocess
from collections.abc import Mapping
from typing import Protocol

from app.embedded.children import ChildProcess
from app.embedded.engine import Engine
from app.embedded.guard import Guard
from app.embedded.process import describe_end, kill_group, spawn, wait_end


class Service(Protocol):
    """Something that runs as a process. Once it has ended, `start` starts it again."""

    name: str
    ready_seconds: float
    """How long it may take to be ready."""

    @property
    def process(self) -> subprocess.Popen[bytes] | None: ...

    def start(self) -> None:
        """Raises `EngineFailed` or OSError."""
        ...

    async def is_ready(self) -> bool: ...

    async def wait_end(self) -> None:
        """Return when it has ended and nothing of it is left."""
        ...

    def describe_end(self) -> str:
        """One line, to be asked once it has ended."""
        ...

    async def stop(self) -> None: ...


class EngineService:
    """After a crash an engine first reads back its log, and gets the time for that."""

    ready_seconds = 600.0

    def __init__(self, engine: Engine) -> None:
        self.name = engine.title
        self._engine = engine

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        return self._engine.process

    def start(self) -> None:
        self._engine.start()

    async def is_ready(self) -> bool:
        return self._engine.is_ready()

    async def wait_end(self) -> None:
        if self._engine.process:
            await wait_end(self._engine.process)

    def describe_end(self) -> str:
        return self._engine.describe_end()

    async def stop(self) -> None:
        self._engine.stop()


class ChildService:
    """A child in a session of its own; the guard knows it for as long as it may have children."""

    ready_seconds = 60.0

    def __init__(self, child: ChildProcess, environment: Mapping[str, str], guard: Guard) -> None:
        self.name = child.name
        self.process: subprocess.Popen[bytes] | None = None
        self._child = child
        self._environment = environment
        self._guard = guard
        self._cleared = True

    def start(self) -> None:
        self._cleared = False
        self.process = spawn(
            self._child.argv, environment=self._environment, death_signal=signal.SIGKILL
        )
        self._guard.add(self.process.pid)

    async def is_ready(self) -> bool:
        return self._child.is_ready is None or await self._child.is_ready()

    async def wait_end(self) -> None:
        if self.process is None or self._cleared:
            return
        await wait_end(self.process)
        kill_group(self.process, signal.SIGKILL)
        self._guard.remove(self.process.pid)
        self.process.wait()
        self._cleared = True

    def describe_end(self) -> str:
        return f"{self.name} {describe_end(self.process)}"

    async def stop(self) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.wait_end(), self._child.stop_seconds)
        except TimeoutError:
            kill_group(self.process, signal.SIGKILL)
            await self.wait_end()
