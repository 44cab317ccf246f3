"""A clock that a test moves."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.clock import SystemClock


@dataclass
class MovableClock:
    """The real time, moved by what a test says."""

    moved_seconds: float = 0

    def now(self) -> datetime:
        return SystemClock().now() + timedelta(seconds=self.moved_seconds)
