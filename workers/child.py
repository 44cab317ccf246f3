"""A process beside the worker that is started again whenever it ends, and never outlives it."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.core.backoff import Backoff
from app.core.log import get_logger
from app.embedded.process import describe_end, spawn, wait_end

_log = get_logger("worker")
_RESTART = Backoff(first_seconds=0.1, ceiling_seconds=3)
_STEADY_SECONDS = 30.0
_STOP_SECONDS = 8.0
"""From SIGTERM to SIGKILL; less than the worker itself is given."""


@dataclass(frozen=True, slots=True)
class Child:
    """`pillarbox` with these arguments. The kernel ends it with the worker, however that ends;
    it is of the worker's process group, so that what ends the group ends it too."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]

    async def keep_running(self) -> None:
        """Until cancelled, which stops it. To be called in the main thread."""
        failures = 0
        while True:
            since = time.monotonic()
            end = await self._run()
            if time.monotonic() - since > _STEADY_SECONDS:
                failures = 0
            failures += 1
            _log.warning("worker.child", name=self.name, outcome="starting again", reason=end)
            await asyncio.sleep(_RESTART.delay_seconds(failures))

    async def _run(self) -> str:
        try:
            process = spawn(
                [sys.executable, "-m", "app.cli", *self.arguments],
                environment=self.environment,
                death_signal=signal.SIGKILL,
                own_session=False,
            )
        except OSError as error:
            return str(error)
        try:
            await wait_end(process)
        except asyncio.CancelledError:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wait_end(process), _STOP_SECONDS)
            process.kill()
            process.wait()
            raise
        return describe_end(process)
