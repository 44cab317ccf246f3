"""The pages of domains with the values their handlers give them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.directory.check_history import Check, CheckOutcome
from app.directory.domain_policy import DomainChange, DomainStatus
from app.directory.domain_records import DkimKey, Installation, Purpose, list_records
from app.directory.domains import Domain
from app.directory.sightings import RecordState, Sighting
from app.web.domain_wording import (
    MTA_STS_MODES,
    RECIPIENT_POLICIES,
    describe_check,
    describe_domain,
    describe_records,
)

_FOLDER = "admin/domains"


def make_domain_pages(
    now: datetime, hostile: str, frame: Mapping[str, Any]
) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Name, template and context of each."""
    pending = _domain(now, DomainStatus.PENDING, checked_at=None)
    domains = [
        pending,
        _domain(now, DomainStatus.VERIFIED),
        _domain(now, DomainStatus.VERIFIED, is_monitored=False, next_check_at=None),
        _domain(now, DomainStatus.SOFT_REJECTED),
        _domain(now, DomainStatus.SOFT_REJECTED, mx_lost_at=now - timedelta(hours=3)),
        _domain(now, DomainStatus.SUSPENDED, ownership_lost_at=now),
    ]
    rows = [(domain, describe_domain(domain)) for domain in domains]
    listed = {**frame, "rows": rows, "q": ""}
    return [
        ("domains", f"{_FOLDER}/list.html", listed),
        ("domains, none", f"{_FOLDER}/list.html", {**listed, "rows": []}),
        ("domains, not found", f"{_FOLDER}/list.html", {**listed, "rows": [], "q": hostile}),
        ("domain, new", f"{_FOLDER}/new.html", {**frame, "name": "", "wrong": ""}),
        (
            "domain, wrong",
            f"{_FOLDER}/new.html",
            {**frame, "name": hostile, "wrong": "That is no name."},
        ),
        ("domain, unchecked", f"{_FOLDER}/show.html", {**_shown(frame, pending), "checks": []}),
        *(
            (
                f"domain, {number}",
                f"{_FOLDER}/show.html",
                _shown(frame, domain, *_checks(now, hostile)),
            )
            for number, domain in enumerate(domains)
        ),
        (
            "domain, viewed",
            f"{_FOLDER}/show.html",
            {**_shown(frame, domains[1], *_checks(now, hostile)), "may_write": False},
        ),
        *(
            (
                f"domain, removal with {mailboxes}",
                f"{_FOLDER}/delete.html",
                {**frame, "domain": pending, "mailboxes": mailboxes},
            )
            for mailboxes in (0, 1, 7)
        ),
    ]


def _domain(now: datetime, status: DomainStatus, **changes: Any) -> Domain:
    values: dict[str, Any] = {
        "id": UUID(int=31),
        "tenant_id": UUID(int=1),
        "name": "acme.example",
        "status": status,
        "recipient_policy": "reject_unknown",
        "mta_sts_mode": "testing",
        "is_monitored": True,
        "verification_token": "token",
        "created_at": now - timedelta(days=2),
        "verified_at": None,
        "ownership_lost_at": None,
        "mx_lost_at": None,
        "checked_at": now - timedelta(minutes=5),
        "next_check_at": now + timedelta(minutes=50),
        "checks_alike": 1,
    }
    return Domain(**{**values, **changes})


def _shown(frame: Mapping[str, Any], domain: Domain, *checks: Check) -> Mapping[str, Any]:
    records = list_records(
        domain.name,
        verification_token=domain.verification_token,
        mta_sts_mode=domain.mta_sts_mode,
        key=DkimKey("pillarbox", "MIIB" * 98),
        installation=Installation(("localhost",), "pillarbox.example"),
    )
    return {
        **frame,
        "domain": domain,
        "standing": describe_domain(domain),
        "records": describe_records(records, checks[0] if checks else None),
        "checks": [(check, describe_check(check)) for check in checks],
        "mailboxes": 3,
        "recipient_policies": RECIPIENT_POLICIES,
        "mta_sts_modes": MTA_STS_MODES,
        "is_local": True,
    }


def _checks(now: datetime, hostile: str) -> list[Check]:
    states = [*RecordState, *RecordState]
    sightings = [
        Sighting(
            purpose,
            "acme.example",
            state,
            (hostile, "v=spf1 -all"),
            "It lacks mx.",
            {"192.0.2.1:53": state, "192.0.2.2:53": RecordState.UNKNOWN},
        )
        for purpose, state in zip(Purpose, states, strict=True)
    ]
    return [
        Check(DomainStatus.VERIFIED, changes, outcome, sightings, times, now, now)
        for changes, outcome, times in (
            ((), CheckOutcome.CONCLUDED, 12),
            ((), CheckOutcome.UNKNOWN, 1),
            ((), CheckOutcome.HELD_ELSEWHERE, 1),
            *(((change,), CheckOutcome.CONCLUDED, 1) for change in DomainChange),
        )
    ]
