"""Sending older events to an endpoint: a range of the log, worked off in batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.access.audit import Audit
from app.access.grants import Grant
from app.core.clock import Clock
from app.core.errors import InvalidInput
from app.core.ids import Ids
from app.eventlog.append import EventLog
from app.eventlog.read import EventFilter, read_events
from app.eventlog.types import EventType
from app.storage.db.database import Connection, Database, Record
from app.storage.doorbell import Bell
from app.webhooks.endpoint import find_endpoint
from app.webhooks.queue import Told, Which, queue_deliveries
from app.webhooks.selection import Selection

_BATCH = 500
# A replay waits while so much is still to be sent to its endpoint.
_MAX_WAITING = 1000
_MAX_LISTED = 50


@dataclass(frozen=True, slots=True)
class Range:
    """Which part of the log: positions after `after` up to `until_position`, and times from `since`
    on and before `until`. None is the beginning, or the end as it is now."""

    after: int | None = None
    until_position: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Everything up to `position` was queued, `deliveries` of it; it ends at `to_position`."""

    id: UUID
    endpoint_id: UUID
    which: Which
    position: int
    to_position: int
    deliveries: int
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class WebhookReplays:
    """Every method raises `NotFound` for an endpoint that the grant does not reach."""

    database: Database
    log: EventLog
    audit: Audit
    clock: Clock
    ids: Ids
    public_url: str

    async def start(
        self, grant: Grant, endpoint_id: UUID, wanted: Range, which: Which = Which.ALL
    ) -> Replay:
        """What the endpoint wants of a range is sent to it once more, or with `UNDELIVERED` what
        it has not taken yet. Raises `InvalidInput` for an endpoint that is switched off."""
        async with self.log.transaction() as transaction:
            connection = transaction.connection
            endpoint = await find_endpoint(connection, grant, endpoint_id, lock=True)
            if not endpoint.is_enabled:
                raise InvalidInput("This webhook is switched off. Switch it on first.")
            after, to_position = await _bounds(connection, wanted)
            row = await connection.fetchrow(
                f"""insert into webhook_replay (id, tenant_id, endpoint_id, which, position,
                    to_position, created_at)
                values ($1, $2, $3, $4, $5, $6, $7) returning {_COLUMNS}""",
                *(self.ids.new(), grant.tenant_id, endpoint_id, which.value, after, to_position),
                self.clock.now(),
            )
            await self.audit.record(
                transaction,
                grant.actor,
                EventType.ACCESS_WEBHOOK_REPLAYED,
                tenant_id=grant.tenant_id,
                subject=("webhook_endpoint", endpoint_id),
                told={"after": after, "to_position": to_position, "which": which.value},
            )
        await self.log.doorbell.ring(Bell.WEBHOOKS)
        return _to_replay(row)

    async def list(self, grant: Grant, endpoint_id: UUID) -> Sequence[Replay]:
        """The newest ones, the newest first."""
        await find_endpoint(self.database, grant, endpoint_id)
        rows = await self.database.fetch(
            f"""select {_COLUMNS} from webhook_replay where endpoint_id = $1
            order by id desc limit {_MAX_LISTED}""",
            endpoint_id,
        )
        return [_to_replay(row) for row in rows]

    async def advance(self) -> bool:
        """Queues a batch of one replay. False when there is none to go on with for now. Safe to run
        in several processes at once."""
        async with self.database.unit() as connection:
            row = await connection.fetchrow(_NEXT)
            if row is None:
                return False
            selection = Selection(row["types"], row["mailbox_ids"])
            found = await read_events(
                self.database,
                after=row["position"],
                wanted=EventFilter(
                    tenant_id=row["tenant_id"],
                    mailbox_ids=row["mailbox_ids"] or None,
                    types=selection.wanted_types,
                ),
                limit=_BATCH,
            )
            events = [event for event in found if event.position <= row["to_position"]]
            count = await queue_deliveries(
                connection,
                [Told(row["endpoint_id"], event) for event in events],
                Which(row["which"]),
                self.public_url,
                self.clock.now(),
            )
            is_over = len(events) < _BATCH
            await connection.execute(
                """update webhook_replay set position = $2, deliveries = deliveries + $3,
                    finished_at = $4
                where id = $1""",
                *(row["id"], row["to_position"] if is_over else events[-1].position, count),
                self.clock.now() if is_over else None,
            )
        if count:
            await self.log.doorbell.ring(Bell.WEBHOOKS)
        return True


async def _bounds(connection: Connection, wanted: Range) -> tuple[int, int]:
    """The position that it begins after, and the one that it ends at."""
    newest = await connection.fetchval("select coalesce(max(position), 0) from event")
    after, end = wanted.after or 0, newest
    if wanted.since is not None:
        after = max(after, await _position_before(connection, wanted.since, newest))
    if wanted.until is not None:
        end = await _position_before(connection, wanted.until, newest)
    if wanted.until_position is not None:
        end = min(end, wanted.until_position)
    if after >= end:
        raise InvalidInput("There are no events in this range.")
    return after, end


async def _position_before(connection: Connection, moment: datetime, newest: int) -> int:
    position: int = await connection.fetchval(
        "select coalesce((select min(position) - 1 from event where created_at >= $1), $2)",
        moment,
        newest,
    )
    return position


def _to_replay(row: Record) -> Replay:
    return Replay(**{**row, "which": Which(row["which"])})


_COLUMNS = "id, endpoint_id, which, position, to_position, deliveries, created_at, finished_at"
_NEXT = f"""
select replay.*, types, mailbox_ids
from webhook_replay as replay join webhook_endpoint as endpoint on endpoint.id = endpoint_id
where replay.finished_at is null and state = 'enabled' and (
    select count(*) from (
        select from webhook_delivery
        where webhook_delivery.endpoint_id = endpoint.id and webhook_delivery.state = 'pending'
        limit {_MAX_WAITING}
    ) as waiting
) < {_MAX_WAITING}
order by replay.id limit 1 for update of replay skip locked
"""
