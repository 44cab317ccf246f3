"""The DNS records of domains over the API, and checks of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from limits import RateLimitItemPerMinute
from litestar import Router, get, post
from litestar.params import FromPath, QueryParameter

from app.access.grants import Grant
from app.access.permissions import Permission
from app.access.rate_limits import RateLimits
from app.directory.check_history import KEPT, Check
from app.directory.domain_checks import DomainChecks
from app.directory.domain_records import DnsRecord
from app.directory.domains import Domains
from app.directory.sightings import Sighting
from app.web.access import find_domain
from app.web.api.openapi import shown
from app.web.api.writing import without_transaction
from app.web.domain_wording import describe_records
from app.web.given import Given
from app.web.guards import allow

_CHECKS = RateLimitItemPerMinute(20)
Newest = Annotated[
    int, QueryParameter(name="limit", ge=1, le=KEPT, description="How many at most.")
]


class DomainRecord(msgspec.Struct, frozen=True):
    """A record to publish, and what was last seen of it: `state` is found, missing, differs (from
    what it should say), unknown (the DNS gave no clear answer), or null before the first check."""

    purpose: str
    name: str
    type: str
    value: str
    why: str
    required: bool
    state: str | None
    seen: Sequence[str]
    note: str


class DomainRecordList(msgspec.Struct, frozen=True):
    """All of them, the most important first; there is never a next page."""

    items: Sequence[DomainRecord]
    next_cursor: str | None = None


class RecordSighting(msgspec.Struct, frozen=True):
    """What a check saw of one record; `by` says it for each DNS server that was asked."""

    purpose: str
    name: str
    state: str
    seen: Sequence[str]
    note: str
    by: dict[str, str]


class DomainCheck(msgspec.Struct, frozen=True):
    """`times` checks from `first_at` to `last_at` that saw the same. `status` is the domain's
    after them, `changes` what they changed, `outcome` is concluded, unknown (the DNS gave no clear
    answer, so nothing was changed), held_elsewhere (another tenant has the domain) or released
    (another tenant has got it)."""

    status: str
    outcome: str
    changes: Sequence[str]
    times: int
    first_at: datetime
    last_at: datetime
    sightings: Sequence[RecordSighting]


class DomainCheckList(msgspec.Struct, frozen=True):
    """The newest first; there is never a next page, as at most 100 are kept."""

    items: Sequence[DomainCheck]
    next_cursor: str | None = None


_RECORD = DomainRecord(
    purpose="mx",
    name="acme.example",
    type="MX",
    value="10 mx.pillarbox.example.",
    why="Brings your mail here.",
    required=True,
    state="found",
    seen=["mx.pillarbox.example"],
    note="",
)
_CHECK = DomainCheck(
    status="verified",
    outcome="concluded",
    changes=["verified"],
    times=1,
    first_at=datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
    last_at=datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
    sightings=[
        RecordSighting(
            purpose="mx",
            name="acme.example",
            state="found",
            seen=["mx.pillarbox.example"],
            note="",
            by={"192.0.2.1:53": "found", "192.0.2.2:53": "found", "192.0.2.3:53": "unknown"},
        )
    ],
)


@get(
    "/{domain_id:uuid}/records",
    operation_id="list_domain_records",
    summary="List the DNS records of a domain",
    opt=shown(answer=DomainRecordList([_RECORD])),
)
async def list_domain_records(
    domain_id: FromPath[UUID],
    grant: Given[Grant],
    domains: Given[Domains],
    domain_checks: Given[DomainChecks],
) -> DomainRecordList:
    """The DNS records that the domain should have, and what the newest check saw of each."""
    domain = await find_domain(domains, grant, domain_id)
    newest = next(iter(await domain_checks.list_checks(domain, 1)), None)
    views = describe_records(await domain_checks.list_records(domain), newest)
    return DomainRecordList([_record(view.record, view.sighting) for view in views])


@get(
    "/{domain_id:uuid}/checks",
    operation_id="list_domain_checks",
    summary="List the checks of a domain",
    opt=shown(answer=DomainCheckList([_CHECK])),
)
async def list_domain_checks(
    domain_id: FromPath[UUID],
    grant: Given[Grant],
    domains: Given[Domains],
    domain_checks: Given[DomainChecks],
    limit: Newest = 30,
) -> DomainCheckList:
    """What was seen of the domain's records, the newest first, and what came of it."""
    domain = await find_domain(domains, grant, domain_id)
    checks = await domain_checks.list_checks(domain, limit)
    return DomainCheckList([_check(check) for check in checks])


@post(
    "/{domain_id:uuid}/check",
    operation_id="check_domain",
    summary="Check a domain now",
    status_code=200,
    opt={
        **allow(Permission.DOMAINS_WRITE),
        **without_transaction(),
        **shown(answer=_CHECK),
    },
)
async def check_domain_now(
    domain_id: FromPath[UUID],
    grant: Given[Grant],
    domains: Given[Domains],
    domain_checks: Given[DomainChecks],
    rate_limits: Given[RateLimits],
) -> DomainCheck:
    """Looks at the records now and does what follows from them. Takes some seconds at most. A
    domain is checked 20 times a minute at most."""
    domain = await find_domain(domains, grant, domain_id)
    await rate_limits.count(_CHECKS, "domain-check", str(domain.id))
    return _check(await domain_checks.check(domain))


def _record(record: DnsRecord, sighting: Sighting | None) -> DomainRecord:
    return DomainRecord(
        purpose=record.purpose,
        name=record.name,
        type=record.type,
        value=record.value,
        why=record.why,
        required=record.is_required,
        state=sighting.state if sighting else None,
        seen=sighting.seen if sighting else (),
        note=sighting.note if sighting else "",
    )


def _check(check: Check) -> DomainCheck:
    return DomainCheck(
        status=check.status,
        outcome=check.outcome,
        changes=[change.value for change in check.changes],
        times=check.times,
        first_at=check.first_at,
        last_at=check.last_at,
        sightings=[
            RecordSighting(
                sighting.purpose,
                sighting.name,
                sighting.state,
                sighting.seen,
                sighting.note,
                {server: state.value for server, state in sighting.by.items()},
            )
            for sighting in check.sightings
        ],
    )


domain_checks_router = Router(
    "/domains",
    route_handlers=[list_domain_records, list_domain_checks, check_domain_now],
    opt=allow(Permission.DOMAINS_READ),
    tags=["domains"],
)
