"""The DNS records of domains over the API, and checks of them."""

from collections.abc import Sequence
from datetime import datetime
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
from app.web.domain_wording import describe_records
from app.web.given import Given
from app.web.guards import allow

_CHECKS = RateLimitItemPerMinute(20)
Newest = Annotated[int, QueryParameter(name="limit", ge=1, le=KEPT)]


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


@get("/{domain_id:uuid}/records", opt=allow(Permission.DOMAINS_READ))
async def list_domain_records(
    domain_id: FromPath[UUID],
    grant: Given[Grant],
    domains: Given[Domains],
    domain_checks: Given[DomainChecks],
) -> DomainRecordList:
    """The DNS records that the domain should have."""
    domain = await find_domain(domains, grant, domain_id)
    newest = next(iter(await domain_checks.list_checks(domain, 1)), None)
    views = describe_records(await domain_checks.list_records(domain), newest)
    return DomainRecordList([_record(view.record, view.sighting) for view in views])


@get("/{domain_id:uuid}/checks", opt=allow(Permission.DOMAINS_READ))
async def list_domain_checks(
    domain_id: FromPath[UUID],
    grant: Given[Grant],
    domains: Given[Domains],
    domain_checks: Given[DomainChecks],
    limit: Newest = 30,
) -> DomainCheckList:
    """What was seen of the domain's records, and what came of it."""
    domain = await find_domain(domains, grant, domain_id)
    checks = await domain_checks.list_checks(domain, limit)
    return DomainCheckList([_check(check) for check in checks])


@post("/{domain_id:uuid}/check", opt=allow(Permission.DOMAINS_WRITE), status_code=200)
async def check_domain_now(
    domain_id: FromPath[UUID],
    grant: Given[Grant],
    domains: Given[Domains],
    domain_checks: Given[DomainChecks],
    rate_limits: Given[RateLimits],
) -> DomainCheck:
    """Looks at the records now and does what follows from them. Takes some seconds at most."""
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
    tags=["domains"],
)
