"""Refusing mail while too much of it waits to be read."""

import asyncio
from pathlib import Path

from app.core.errors import StorageFull
from app.core.log import get_logger
from app.storage.spool.progress import load_progress, measure_backlog

_CHECKED_EVERY_SECONDS = 1.0

_log = get_logger("spool")


class BacklogFull(StorageFull):
    """There is room, but what lies there already is not being read."""


class BacklogBound:
    """Watches one folder spool. A bound of 0 is none."""

    def __init__(self, root: Path, max_bytes: int) -> None:
        self.size_bytes = 0
        self._root = root
        self._max_bytes = max_bytes

    @property
    def passed(self) -> bool:
        return bool(self._max_bytes) and self.size_bytes > self._max_bytes

    def require(self) -> None:
        """Raises `BacklogFull` past the bound, by figures about a second old."""
        if self.passed:
            raise BacklogFull("Too much mail waits in the spool.")

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            await self.measure()
            await asyncio.sleep(_CHECKED_EVERY_SECONDS)

    async def measure(self) -> None:
        was_passed = self.passed
        try:
            self.size_bytes = await asyncio.to_thread(self._measure)
        except OSError as error:
            _log.warning("spool backlog not measured", error=str(error))
            return
        if self.passed != was_passed:
            _log.warning(
                "spool backlog is past its bound"
                if self.passed
                else "spool backlog is small again",
                size_bytes=self.size_bytes,
                max_bytes=self._max_bytes,
            )

    def _measure(self) -> int:
        return measure_backlog(self._root, load_progress(self._root))
