"""How long to wait before another try."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubling delays up to a ceiling, each shortened by up to a quarter to spread retries."""

    first_seconds: float = 1.0
    ceiling_seconds: float = 3600.0

    def delay_seconds(self, attempt: int) -> float:
        """The wait after the `attempt`-th failure, counted from 1."""
        delay = min(self.ceiling_seconds, self.first_seconds * 2.0 ** min(attempt - 1, 40))
        return delay * random.uniform(0.75, 1.0)  # noqa: S311
