"""How often something may come in a minute: connections, messages, recipients."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Self

from app.inbound.smtpd import replies
from app.inbound.smtpd.origins import Origin
from app.inbound.smtpd.replies import Refusal, Reply
from app.settings import Settings

WINDOW_SECONDS = 60.0
MAX_KEYS = 16_384
"""That are counted one by one; about 5 MB for each kind of count."""
SHARED_COUNTS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """In any minute; 0 for no limit. A host is an IPv4 address or an IPv6 /64, a network an IPv4
    /24 or an IPv6 /48, a domain that of a recipient we host."""

    connections_per_host: int = 1000
    connections_per_network: int = 5000
    messages_per_host: int = 6000
    recipients_per_host: int = 12_000
    recipients_per_domain: int = 60_000

    @classmethod
    def read(cls, settings: Settings) -> Self:
        return cls(
            connections_per_host=settings.smtp_host_connections_per_minute,
            connections_per_network=settings.smtp_network_connections_per_minute,
            messages_per_host=settings.smtp_host_messages_per_minute,
            recipients_per_host=settings.smtp_host_recipients_per_minute,
            recipients_per_domain=settings.smtp_domain_recipients_per_minute,
        )


class Rates:
    """The counts of one sidecar. What is refused is counted too, except where it says otherwise:
    trying harder does not help. A trusted origin is counted and never refused."""

    def __init__(self, limits: RateLimits, now: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._connections_by_host = RateCounter(now)
        self._connections_by_network = RateCounter(now)
        self._messages_by_host = RateCounter(now)
        self._recipients_by_host = RateCounter(now)
        self._recipients_by_domain = RateCounter(now)
        self._stored_by_host = RateCounter(now)
        self._wasted_by_host = RateCounter(now)

    def take_connection(self, origin: Origin) -> Reply | None:
        """The reply to a connection that is one too many."""
        limits = self._limits
        by_host = self._connections_by_host.add(origin.host)
        by_network = self._connections_by_network.add(origin.network)
        if origin.trusted:
            return None
        if by_host > (limits.connections_per_host or inf):
            return replies.HOST_CONNECTION_RATE
        if by_network > (limits.connections_per_network or inf):
            return replies.NETWORK_CONNECTION_RATE
        return None

    def take_message(self, origin: Origin) -> None:
        """Raises `Refusal` for a MAIL that is one too many."""
        count = self._messages_by_host.add(origin.host)
        if count > (self._limits.messages_per_host or inf) and not origin.trusted:
            raise Refusal(replies.HOST_MESSAGE_RATE)

    def take_recipient(self, origin: Origin) -> None:
        """Raises `Refusal` for a RCPT that is one too many, whoever it names."""
        count = self._recipients_by_host.add(origin.host)
        if count > (self._limits.recipients_per_host or inf) and not origin.trusted:
            raise Refusal(replies.HOST_RECIPIENT_RATE)

    def take_domain(self, origin: Origin, domain: str) -> None:
        """Raises `Refusal` for a recipient that is one too many for its domain.

        Only what is taken counts here: a client that is refused must not use up what is meant
        for all others.
        """
        limit = inf if origin.trusted else self._limits.recipients_per_domain or inf
        if self._recipients_by_domain.add(domain, limit) > limit:
            raise Refusal(replies.DOMAIN_RECIPIENT_RATE)

    def record_stored(self, origin: Origin) -> None:
        """A message of its was answered with 250."""
        self._stored_by_host.add(origin.host)

    def record_waste(self, origin: Origin) -> None:
        """It lost its place, with which it had done nothing, to someone else."""
        self._wasted_by_host.add(origin.host)

    def deserves_place(self, origin: Origin) -> bool:
        """Whether it may have someone else's place."""
        wasted = self._wasted_by_host.count(origin.host)
        return not wasted or wasted < self._stored_by_host.count(origin.host)


class RateCounter:
    """Counts by key, over the last `WINDOW_SECONDS`.

    Two tables do: that of this minute, and that of the last, of which the share counts that
    still lies within 60 seconds, as though it had come evenly. So forgetting costs nothing, and no
    key gets more than its limit in a minute of the clock, or twice that in any 60 seconds.

    Memory is bounded: when `MAX_KEYS` are known, new ones share `SHARED_COUNTS` counts by their
    hash, which nobody outside can foresee. An attacker with endless addresses gets no new count for
    each, and an innocent newcomer may hear 4xx meanwhile.
    """

    def __init__(
        self,
        now: Callable[[], float],
        *,
        max_keys: int = MAX_KEYS,
        shared_counts: int = SHARED_COUNTS,
    ) -> None:
        self._now = now
        self._max_keys = max_keys
        self._shared_counts = shared_counts
        self._current: dict[str | int, int] = {}
        self._last: dict[str | int, int] = {}
        self._begun_at = now()

    def __len__(self) -> int:
        """How many counts are kept."""
        return len(self._current) + len(self._last)

    def add(self, key: str, limit: float = inf) -> float:
        """Counts one more, unless that is over the limit. Returns the count with it."""
        elapsed = self._elapsed()
        slot = self._slot(key)
        count = self._current.get(slot, 0) + 1
        total: float = count
        # A key that has just come to share a count, or has ceased to, is better off for a while.
        if (last := self._last.get(slot)) is not None:
            total += last * (1 - elapsed / WINDOW_SECONDS)
        if total <= limit:
            self._current[slot] = count
        return total

    def count(self, key: str) -> float:
        """What was counted, at most a minute ago."""
        share = 1 - self._elapsed() / WINDOW_SECONDS
        slot = self._slot(key)
        return self._current.get(slot, 0) + self._last.get(slot, 0) * share

    def _slot(self, key: str) -> str | int:
        if key in self._current or len(self._current) < self._max_keys:
            return key
        return hash(key) % self._shared_counts

    def _elapsed(self) -> float:
        elapsed = self._now() - self._begun_at
        return elapsed if elapsed < WINDOW_SECONDS else self._turn(elapsed)

    def _turn(self, elapsed: float) -> float:
        """Begins this minute. Returns how much of it has passed."""
        windows, rest = divmod(elapsed, WINDOW_SECONDS)
        self._last = self._current if windows == 1 else {}
        self._current = {}
        self._begun_at = self._now() - rest
        return rest
