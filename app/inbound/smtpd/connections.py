"""Who is connected now, and who gets a place when there are no more."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from math import inf
from typing import Protocol, Self

from app.core.log import get_logger
from app.inbound.smtpd import replies
from app.inbound.smtpd.origins import Origin, Origins
from app.inbound.smtpd.rates import Rates
from app.inbound.smtpd.replies import Reply
from app.settings import Settings

_WASTED_SECONDS = 5.0
"""After which a place may be given to someone else, when there are no more."""
_LOOKED_EVERY_SECONDS = 0.1
_REPORTED_EVERY_SECONDS = 10.0
MAX_LINGERING = 500

_log = get_logger("smtp")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """At a time; 0 for no limit, except in all. For hosts and networks see `Origin`."""

    max_connections: int = 2000
    max_per_host: int = 100
    max_per_network: int = 400

    @classmethod
    def read(cls, settings: Settings) -> Self:
        return cls(
            max_connections=settings.smtp_max_connections,
            max_per_host=settings.smtp_max_host_connections,
            max_per_network=settings.smtp_max_network_connections,
        )


class Connection(Protocol):
    """One client, as long as it is served."""

    def conversation(self) -> "asyncio.Task[None]": ...

    def wasted_seconds(self) -> float:
        """How long we have waited for it in vain: since its last command, or, during DATA, longer
        than the least rate allows. 0 while it waits for us."""
        ...

    def stop(self) -> None: ...

    def dismiss(self) -> None:
        """Tells it that someone else gets its place."""
        ...

    def abort(self) -> None: ...


class Connections:
    """Every connection that is served.

    When all places are taken, a newcomer gets that of a client that wastes its own: of the network
    with the most connections the one that has done so for longest. Whoever lost a place in this way
    gets no other's place for a minute, unless it has sent more messages than it lost places. So who
    takes all places and does nothing with them loses them one by one to those who have mail, and
    does not win them back by trying often.
    """

    def __init__(
        self,
        limits: ConnectionLimits,
        rates: Rates,
        origins: Origins,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.find_origin = origins.find
        self._limits = limits
        self._rates = rates
        self._now = now
        self._origins: dict[Connection, Origin] = {}
        self._by_host: Counter[str] = Counter()
        self._by_network: Counter[str] = Counter()
        self._lingering: set[Connection] = set()
        self._wasted: list[Connection] = []
        self._looked_at = -inf
        self._turned_away: Counter[str] = Counter()
        self._reported_at: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._origins)

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._origins)

    def admit(self, connection: Connection, origin: Origin) -> Reply | None:
        """Gives it a place, until `release`; or the reply that says why not."""
        if (refusal := self._find_refusal(origin)) is not None:
            self._report(refusal, origin)
            return refusal
        self._place(connection, origin)
        return None

    def hold(self, connection: Connection, origin: Origin) -> Reply | None:
        """Does so where only the number of all counts, as for a proxy that has not said yet for
        whom it speaks. `release` it before the client is admitted."""
        if self._is_full() and not self._make_room():
            return replies.TOO_MANY_CONNECTIONS
        self._place(connection, origin)
        return None

    def release(self, connection: Connection) -> None:
        """Takes its place back, if it has one."""
        if (origin := self._origins.pop(connection, None)) is not None:
            _decrease(self._by_host, origin.host)
            _decrease(self._by_network, origin.network)

    def linger(self, connection: Connection) -> bool:
        """Whether it may wait for the client to hear its last word, until `forget`. It needs no
        place for that, and so there is a bound of its own."""
        if len(self._lingering) >= MAX_LINGERING:
            return False
        self._lingering.add(connection)
        return True

    def forget(self, connection: Connection) -> None:
        self._lingering.discard(connection)

    @property
    def lingering(self) -> Collection[Connection]:
        """Those that have said their last word."""
        return tuple(self._lingering)

    def _place(self, connection: Connection, origin: Origin) -> None:
        self._origins[connection] = origin
        self._by_host[origin.host] += 1
        self._by_network[origin.network] += 1

    def _find_refusal(self, origin: Origin) -> Reply | None:
        limits = self._limits
        if (refusal := self._rates.take_connection(origin)) is not None:
            return refusal
        if not origin.trusted:
            if self._by_host[origin.host] >= (limits.max_per_host or inf):
                return replies.TOO_MANY_HOST_CONNECTIONS
            if self._by_network[origin.network] >= (limits.max_per_network or inf):
                return replies.TOO_MANY_NETWORK_CONNECTIONS
        if self._is_full() and not (self._rates.deserves_place(origin) and self._make_room()):
            return replies.TOO_MANY_CONNECTIONS
        return None

    def _is_full(self) -> bool:
        return len(self._origins) >= self._limits.max_connections

    def _make_room(self) -> bool:
        # A flood of newcomers must not have all places looked through for each of them.
        now = self._now()
        if not self._wasted and now - self._looked_at >= _LOOKED_EVERY_SECONDS:
            self._looked_at = now
            self._wasted = self._find_wasted()
        while self._wasted:
            connection = self._wasted.pop()
            origin = self._origins.get(connection)
            if origin is not None and connection.wasted_seconds() >= _WASTED_SECONDS:
                self._rates.record_waste(origin)
                self.release(connection)
                connection.dismiss()
                return True
        return False

    def _find_wasted(self) -> list[Connection]:
        """Those that waste their place; the next to lose it comes last."""
        found = [
            (self._by_network[origin.network], seconds, position, connection)
            for position, (connection, origin) in enumerate(self._origins.items())
            if (seconds := connection.wasted_seconds()) >= _WASTED_SECONDS
        ]
        return [connection for *_, connection in sorted(found)]

    def _report(self, refusal: Reply, origin: Origin) -> None:
        """Seldom, as whoever comes too often would fill the log as well."""
        self._turned_away[refusal.cause] += 1
        now = self._now()
        if now - self._reported_at.get(refusal.cause, -inf) >= _REPORTED_EVERY_SECONDS:
            self._reported_at[refusal.cause] = now
            _log.info(
                "smtp.turned_away",
                cause=refusal.cause,
                connections=self._turned_away.pop(refusal.cause),
                client_address=origin.address,
            )


def _decrease(counts: Counter[str], key: str) -> None:
    """Zeros are dropped, so that the table is never larger than the number of connections."""
    if counts[key] > 1:
        counts[key] -= 1
    else:
        del counts[key]
