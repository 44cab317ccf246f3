"""Noting what came of tries, many in one transaction with their events."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.egress.target import Target
from app.core.ids import Ids
from app.core.log import get_logger
from app.directory.owner_notices import OwnerNews, queue_notices
from app.eventlog.append import EventLog, Transaction
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType
from app.storage.db.database import Connection
from app.webhooks.claims import Claim
from app.webhooks.deliveries import DeliveryState
from app.webhooks.endpoint import DisabledReason, disable
from app.webhooks.verdict import DISABLE_AFTER, Reply, Verdict, judge, retry_delay

MAX_AT_ONCE = 200
_log = get_logger("webhooks")

_STATES = {
    Verdict.DELIVERED: DeliveryState.DELIVERED,
    Verdict.RETRY: DeliveryState.PENDING,
    Verdict.GIVEN_UP: DeliveryState.FAILED,
    Verdict.GONE: DeliveryState.FAILED,
}


@dataclass(frozen=True, slots=True)
class Ended:
    """A try that is over."""

    claim: Claim
    reply: Reply
    verdict: Verdict

    @classmethod
    def of(cls, claim: Claim, reply: Reply) -> "Ended":
        is_test = claim.position is None
        return cls(claim, reply, judge(reply.status, claim.attempts, is_test=is_test))


@dataclass(frozen=True, slots=True)
class Settling:
    """Writes what came of tries, and what follows for their endpoints."""

    log: EventLog
    ids: Ids

    async def settle(self, ended: Sequence[Ended]) -> None:
        """At most `MAX_AT_ONCE`. What another process has taken over meanwhile, or was removed, is
        passed over. Raises `Unavailable`; nothing was written then."""
        now = self.log.clock.now()
        async with self.log.transaction() as transaction:
            connection = transaction.connection
            # In one order, as other processes settle for the same endpoints.
            await connection.execute(
                "select from webhook_endpoint where id = any($1::uuid[]) order by id for update",
                list({each.claim.endpoint_id for each in ended}),
            )
            await _write_attempts(connection, ended)
            ours = await _write_deliveries(connection, ended, now)
            settled = [each for each in ended if each.claim.delivery_id in ours]
            await _write_endpoints(connection, settled, now)
            await self._disable(transaction, settled, now)
            transaction.tell(*_tell(settled))
        for each in settled:
            _note(each)

    async def _disable(
        self, transaction: Transaction, settled: Sequence[Ended], now: datetime
    ) -> None:
        connection = transaction.connection
        gone = {each.claim.endpoint_id for each in settled if each.verdict is Verdict.GONE}
        rows = await connection.fetch(
            """select id, tenant_id, url, failing_since from webhook_endpoint
            where id = any($1::uuid[]) or (id = any($2::uuid[]) and failing_since <= $3)""",
            list(gone),
            [each.claim.endpoint_id for each in settled],
            now - DISABLE_AFTER,
        )
        for row in rows:
            reason = DisabledReason.GONE if row["id"] in gone else DisabledReason.FAILING
            if not await disable(connection, row["id"], reason, now):
                continue
            host = Target.parse(row["url"]).authority
            news = OwnerNews("webhook", row["id"], host, "disabled", reason.value)
            await queue_notices(connection, row["tenant_id"], news, self.ids, now)
            transaction.tell(
                NewEvent(
                    EventType.WEBHOOK_DISABLED,
                    trace_id=self.ids.new(),
                    subject=("webhook_endpoint", row["id"]),
                    tenant_id=row["tenant_id"],
                    data={"reason": reason.value},
                )
            )
            _log.warning("webhook.disabled", endpoint_id=str(row["id"]), reason=reason.value)


async def _write_attempts(connection: Connection, ended: Sequence[Ended]) -> None:
    await connection.execute(
        """update webhook_attempt set duration_ms = new.duration_ms, status = new.status,
            response_head = new.head, error = new.error
        from unnest($1::uuid[], $2::integer[], $3::integer[], $4::text[], $5::text[])
            as new (id, duration_ms, status, head, error)
        where webhook_attempt.id = new.id""",
        [each.claim.attempt_id for each in ended],
        [each.reply.duration_ms for each in ended],
        [each.reply.status for each in ended],
        [each.reply.head for each in ended],
        [each.reply.error for each in ended],
    )


async def _write_deliveries(
    connection: Connection, ended: Sequence[Ended], now: datetime
) -> frozenset[UUID]:
    """Those that were still leased to us."""
    rows = await connection.fetch(
        """update webhook_delivery set state = new.state, next_attempt_at = new.next_attempt_at,
            lease_until = null,
            finished_at = case when new.state <> 'pending' then $5::timestamptz end
        from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::timestamptz[])
            as new (id, lease_until, state, next_attempt_at)
        where webhook_delivery.id = new.id and webhook_delivery.state = 'pending'
            and webhook_delivery.lease_until = new.lease_until
        returning webhook_delivery.id""",
        [each.claim.delivery_id for each in ended],
        [each.claim.lease_until for each in ended],
        [_STATES[each.verdict].value for each in ended],
        [_next_attempt(each, now) for each in ended],
        now,
    )
    return frozenset(row["id"] for row in rows)


def _next_attempt(each: Ended, now: datetime) -> datetime:
    if each.verdict is not Verdict.RETRY:
        return now
    return now + retry_delay(each.claim.attempts, each.reply.rest)


async def _write_endpoints(connection: Connection, settled: Sequence[Ended], now: datetime) -> None:
    well = {each.claim.endpoint_id for each in settled if each.verdict is Verdict.DELIVERED}
    await connection.execute(
        """update webhook_endpoint set failing_since = null
        where id = any($1::uuid[]) and failing_since is not null""",
        list(well),
    )
    ill = [each for each in settled if each.claim.endpoint_id not in well]
    await connection.execute(
        """update webhook_endpoint set failing_since = $2
        where id = any($1::uuid[]) and failing_since is null""",
        [each.claim.endpoint_id for each in ill],
        now,
    )
    resting = [(each.claim.endpoint_id, now + each.reply.rest) for each in ill if each.reply.rest]
    await connection.executemany(
        "update webhook_endpoint set resting_until = $2 where id = $1", resting
    )


def _tell(settled: Iterable[Ended]) -> Iterable[NewEvent]:
    for each in settled:
        if each.verdict is Verdict.RETRY:
            continue
        is_delivered = each.verdict is Verdict.DELIVERED
        yield NewEvent(
            EventType.WEBHOOK_DELIVERED if is_delivered else EventType.WEBHOOK_FAILED,
            trace_id=each.claim.trace_id,
            subject=("webhook_delivery", each.claim.delivery_id),
            tenant_id=each.claim.tenant_id,
            mailbox_id=each.claim.mailbox_id,
            data={
                "endpoint_id": str(each.claim.endpoint_id),
                "event_id": str(each.claim.event_id),
                "attempts": each.claim.attempts,
                "status": each.reply.status,
            },
        )


def _note(each: Ended) -> None:
    level = _log.info if each.verdict is Verdict.DELIVERED else _log.warning
    level(
        "webhook.attempt",
        delivery_id=str(each.claim.delivery_id),
        endpoint_id=str(each.claim.endpoint_id),
        attempt=each.claim.attempts,
        status=each.reply.status,
        duration_ms=each.reply.duration_ms,
        outcome=each.verdict.name.lower(),
        **({"reason": each.reply.error} if each.reply.error else {}),
    )
