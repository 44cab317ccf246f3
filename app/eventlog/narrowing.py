"""Finding the event in a batch that its consumer cannot handle.

A batch that fails for a passing reason waits. One that fails for good is halved, again and again,
until the event that fails stands alone; then it can be parked, and the rest goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from app.core.errors import PillarboxError
from app.eventlog.event import Event

MAX_TRIES = 5
"""Of a batch that fails with an error that nobody expected, before that counts as lasting."""


class Verdict(Enum):
    """What to do about a batch that failed."""

    WAIT = auto()
    NARROW = auto()
    PARK = auto()


@dataclass(slots=True)
class Narrowing:
    """How many events to hand over at once: `full`, unless one that fails is being looked for."""

    full: int
    limit: int = field(init=False)
    _suspects_until: int = field(default=0, init=False)
    _failed_at: int = field(default=0, init=False)
    _tries: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.limit = self.full

    def judge(self, error: Exception, events: Sequence[Event]) -> Verdict:
        """`PARK` is said only of a single event."""
        if is_passing(error):
            return Verdict.WAIT
        first, last = events[0].position, events[-1].position
        self._tries = self._tries + 1 if first == self._failed_at else 1
        self._failed_at = first
        is_certain = isinstance(error, PillarboxError) or first <= self._suspects_until
        if not is_certain and self._tries < MAX_TRIES:
            return Verdict.WAIT
        self._suspects_until = max(self._suspects_until, last)
        self.limit = max(1, len(events) // 2)
        return Verdict.NARROW if len(events) > 1 else Verdict.PARK

    def pass_on(self, position: int) -> None:
        """All up to here is done or parked."""
        wider = self.limit * 2 if position < self._suspects_until else self.full
        self.limit = min(wider, self.full)


def is_passing(error: BaseException) -> bool:
    """Whether trying again may help: retryable errors, and faults of network and disk. A group is
    as good as the best of what it holds, which the rest may have come from."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_passing(each) for each in error.exceptions)
    if isinstance(error, PillarboxError):
        return error.retryable
    return isinstance(error, OSError | TimeoutError)
