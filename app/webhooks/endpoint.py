"""A webhook endpoint, as it is read and as it is switched off."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.access.grants import Grant
from app.core.errors import NotFound
from app.storage.db.database import Connection, Database, Record
from app.webhooks.selection import Selection

CONSUMER = "webhooks"
"""Who reads the log for them, as its checkpoint is named."""


class DisabledReason(StrEnum):
    """Why nothing is sent."""

    BY_HAND = "by_hand"
    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """Nothing could be delivered for days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint without its secret. Empty `types` are all but `access.*`, empty `mailbox_ids` all
    of the tenant's. `previous_until`: until then an earlier secret signs too. `failing_since` is
    the first failure after the last success; `resting_until` is when it asked to be called again.
    Events after `disabled_position` may have been missed while it was last switched off."""

    id: UUID
    tenant_id: UUID
    url: str
    description: str
    types: Sequence[str]
    mailbox_ids: Sequence[UUID]
    mailboxes: Sequence[str]
    is_ordered: bool
    is_enabled: bool
    disabled_reason: DisabledReason | None
    disabled_at: datetime | None
    disabled_position: int | None
    failing_since: datetime | None
    resting_until: datetime | None
    previous_until: datetime | None
    created_at: datetime

    @property
    def selection(self) -> Selection:
        return Selection(self.types, self.mailbox_ids)


async def find_endpoint(
    database: Database | Connection, grant: Grant, endpoint_id: UUID, *, lock: bool = False
) -> Endpoint:
    """Raises `NotFound`, also for one that the grant does not reach."""
    fetch = database.fetch_one if isinstance(database, Database) else database.fetchrow
    row = await fetch(
        f"{_SELECT} where {_REACHED} and id = $3{' for update' if lock else ''}",
        grant.tenant_id,
        grant.mailbox_ids,
        endpoint_id,
    )
    if row is None:
        raise NotFound("There is no such webhook.")
    return _to_endpoint(row)


async def list_endpoints(database: Database, grant: Grant) -> Sequence[Endpoint]:
    """All that the grant reaches, the oldest first."""
    rows = await database.fetch(
        f"{_SELECT} where {_REACHED} order by id", grant.tenant_id, grant.mailbox_ids
    )
    return [_to_endpoint(row) for row in rows]


async def disable(
    connection: Connection, endpoint_id: UUID, reason: DisabledReason, now: datetime
) -> bool:
    """Nothing more is sent; what waits stays. False when it was disabled already."""
    return bool(
        await connection.fetchval(
            """update webhook_endpoint set state = 'disabled', disabled_reason = $2,
                disabled_at = $3, resting_until = null,
                disabled_position = coalesce((select position from consumer where name = $4), 0)
            where id = $1 and state = 'enabled' returning true""",
            endpoint_id,
            reason.value,
            now,
            CONSUMER,
        )
    )


async def enable(connection: Connection, endpoint_id: UUID) -> None:
    """What waited goes on, and it is told of what happens from now on."""
    await connection.execute(
        """update webhook_endpoint set state = 'enabled', disabled_reason = '',
            disabled_at = null, failing_since = null, resting_until = null,
            start_position = (select coalesce(max(position), 0) from event)
        where id = $1 and state = 'disabled'""",
        endpoint_id,
    )


_REACHED = """tenant_id = $1
    and ($2::uuid[] is null or (mailbox_ids <> '{}' and mailbox_ids <@ $2))"""
_SELECT = """
select id, tenant_id, url, description, types, mailbox_ids,
    array(select address from mailbox where mailbox.id = any(mailbox_ids) order by 1) as mailboxes,
    is_ordered, state = 'enabled' as is_enabled, disabled_reason, disabled_at, disabled_position,
    failing_since, resting_until, previous_until, created_at
from webhook_endpoint"""


def _to_endpoint(row: Record) -> Endpoint:
    reason = row["disabled_reason"]
    return Endpoint(**{**row, "disabled_reason": DisabledReason(reason) if reason else None})
