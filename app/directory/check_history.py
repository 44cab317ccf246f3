"""What was seen of a domain, when, and what came of it. Checks that saw the same are one row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from app.directory.domain_policy import DomainChange, DomainStatus
from app.directory.domains import Domain
from app.directory.sightings import Sighting
from app.storage.db.database import Connection, Database, Record

KEPT = 100
"""Rows for each domain."""


class CheckOutcome(StrEnum):
    """`concluded`: the records that decide were firmly seen, there or not; `unknown`: not both of
    them; `held_elsewhere`: another tenant has shown that the domain is theirs, and still does;
    `released`: no check, but that this tenant lost the domain to another."""

    CONCLUDED = "concluded"
    UNKNOWN = "unknown"
    HELD_ELSEWHERE = "held_elsewhere"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Check:
    """`times` checks from `first_at` to `last_at`, all alike; `status` is the domain's after."""

    status: DomainStatus
    changes: Sequence[DomainChange]
    outcome: CheckOutcome
    sightings: Sequence[Sighting]
    times: int
    first_at: datetime
    last_at: datetime


async def keep_check(connection: Connection, domain: Domain, check: Check, check_id: UUID) -> None:
    """Writes down one check; the oldest beyond `KEPT` go."""
    newest = await connection.fetchrow(
        f"select id, {_COLUMNS} from domain_check where domain_id = $1 order by id desc limit 1",
        domain.id,
    )
    if newest is not None and _is_alike(_read(newest), check):
        await connection.execute(
            "update domain_check set times = times + 1, last_at = $2 where id = $1",
            newest["id"],
            check.last_at,
        )
        return
    await connection.execute(
        """insert into domain_check (id, tenant_id, domain_id, status, changes, outcome,
            sightings, first_at, last_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $8)""",
        check_id,
        domain.tenant_id,
        domain.id,
        check.status,
        list(check.changes),
        check.outcome,
        msgspec.json.encode(check.sightings).decode(),
        check.last_at,
    )
    await connection.execute(
        """delete from domain_check where domain_id = $1 and id <= (
            select id from domain_check where domain_id = $1 order by id desc offset $2 limit 1
        )""",
        domain.id,
        KEPT,
    )


async def list_checks(database: Database, domain: Domain, limit: int) -> Sequence[Check]:
    """The newest first."""
    rows = await database.fetch(
        f"select {_COLUMNS} from domain_check where domain_id = $1 order by id desc limit $2",
        domain.id,
        limit,
    )
    return [_read(row) for row in rows]


_COLUMNS = "status, changes, outcome, sightings, times, first_at, last_at"


def _read(row: Record) -> Check:
    return Check(
        status=DomainStatus(row["status"]),
        changes=[DomainChange(change) for change in row["changes"]],
        outcome=CheckOutcome(row["outcome"]),
        sightings=_read_sightings(row["sightings"]),
        times=row["times"],
        first_at=row["first_at"],
        last_at=row["last_at"],
    )


def _is_alike(before: Check, check: Check) -> bool:
    if before.changes or check.changes:
        return False
    return (before.status, before.outcome) == (check.status, check.outcome) and (
        before.sightings == _read_sightings(msgspec.json.encode(check.sightings))
    )


def _read_sightings(stored: str | bytes) -> Sequence[Sighting]:
    return msgspec.json.decode(stored, type=list[Sighting])
