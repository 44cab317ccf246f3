"""Domains in the words of their pages: how they stand, what was seen, what has changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from app.directory.check_history import Check, CheckOutcome
from app.directory.domain_policy import MX_GRACE, DomainChange, DomainStatus
from app.directory.domain_records import DnsRecord, Purpose
from app.directory.domains import Domain
from app.directory.sightings import RecordState, Sighting
from app.web.standing import Standing


@dataclass(frozen=True, slots=True)
class RecordView:
    """One record to publish, and what was last seen of it."""

    title: str
    record: DnsRecord
    standing: Standing
    sighting: Sighting | None


PURPOSES: Mapping[Purpose, str] = {
    Purpose.OWNERSHIP: "Ownership",
    Purpose.MX: "Mail comes here",
    Purpose.SPF: "SPF",
    Purpose.DKIM: "DKIM",
    Purpose.DMARC: "DMARC",
    Purpose.MTA_STS: "MTA-STS",
    Purpose.MTA_STS_HOST: "MTA-STS policy",
    Purpose.TLS_RPT: "TLS reports",
}

RECIPIENT_POLICIES: Mapping[str, tuple[str, str]] = {
    "reject_unknown": (
        "Refuse it at once",
        "Its sender is told of a mistyped address. Who asks can find out which addresses exist.",
    ),
    "reply_after_data": (
        "Refuse it after the whole message",
        "Finding out which addresses exist costs a message for each.",
    ),
    "accept_and_discard": (
        "Take it and throw it away",
        "Nobody can find out which addresses exist, and nobody is told of a mistyped one.",
    ),
}

MTA_STS_MODES: Mapping[str, tuple[str, str]] = {
    "testing": (
        "Testing",
        "Others tell you what could not come encrypted, and deliver it all the same.",
    ),
    "enforce": (
        "Enforced",
        "Others deliver only to our hosts and only encrypted. Choose it once the reports are good.",
    ),
    "none": (
        "Withdrawn",
        "Others forget the policy. Choose it a day before you take the records away.",
    ),
}


def describe_domain(domain: Domain) -> Standing:
    match domain.status:
        case DomainStatus.VERIFIED if not domain.is_monitored:
            return Standing(
                "Receives mail",
                "green",
                "check",
                "Its mail is taken. Whoever runs this installation vouches for it, so it stays so "
                "whatever the DNS says.",
            )
        case DomainStatus.VERIFIED:
            return Standing(
                "Receives mail",
                "green",
                "check",
                "Its mail is taken. We look at its records about every hour.",
            )
        case DomainStatus.SOFT_REJECTED if domain.mx_lost_at is None:
            return Standing(
                "Waits for its MX record",
                "amber",
                "clock",
                "It is yours. Set up its mailboxes, then publish the MX record: until we have seen "
                "it, mail is deferred, and nothing is lost.",
            )
        case DomainStatus.SOFT_REJECTED:
            hours = int(MX_GRACE / timedelta(hours=1))
            return Standing(
                "MX record lost",
                "amber",
                "triangle-alert",
                "Its MX record does not point here. Mail that comes all the same is deferred, and "
                f"refused {hours} hours after the loss was seen.",
            )
        case DomainStatus.SUSPENDED:
            lost = "ownership" if domain.ownership_lost_at is not None else "MX"
            return Standing(
                "Suspended",
                "red",
                "x",
                f"Its {lost} record is gone, so its mail is refused. Put the record back and check "
                "again. All mail that was taken is still there.",
            )
        case _:
            return Standing(
                "Not verified yet",
                "blue",
                "clock",
                "Publish the records below where the domain's DNS is kept. It receives mail once "
                "we have seen those that are needed.",
            )


def describe_records(records: Sequence[DnsRecord], newest: Check | None) -> Sequence[RecordView]:
    """Each record with its sighting, if there is one: of hosts of one kind the first belongs to
    the first."""
    sightings: dict[Purpose, list[Sighting]] = {}
    for seen in newest.sightings if newest else ():
        sightings.setdefault(seen.purpose, []).append(seen)
    views = []
    for record in records:
        waiting = sightings.get(record.purpose)
        sighting = waiting.pop(0) if waiting else None
        views.append(
            RecordView(
                PURPOSES[record.purpose], record, _describe_sighting(record, sighting), sighting
            )
        )
    return views


def _describe_sighting(record: DnsRecord, sighting: Sighting | None) -> Standing:
    lacking = "red" if record.is_required else "grey"
    match sighting.state if sighting else None:
        case RecordState.FOUND:
            return Standing("Found", "green", "check")
        case RecordState.MISSING:
            return Standing("Missing", lacking, "x")
        case RecordState.DIFFERS:
            return Standing("Differs", "amber", "triangle-alert")
        case RecordState.UNKNOWN:
            return Standing("Could not tell", "grey", "clock")
        case _:
            return Standing("Not looked for yet", "grey", "clock")


_CHANGES: Mapping[DomainChange, str] = {
    DomainChange.VERIFIED: "The ownership record was found",
    DomainChange.MX_LOST: "The MX record was lost: mail is deferred",
    DomainChange.MX_RECOVERED: "The MX record was found: mail is taken",
    DomainChange.SUSPENDED: "The domain was suspended: mail is refused",
    DomainChange.RELEASED: "Somebody else has shown that the domain is theirs",
}


def describe_check(check: Check) -> str:
    """What came of a check, in a sentence."""
    if check.changes:
        return _CHANGES[check.changes[0]]
    if check.outcome is CheckOutcome.HELD_ELSEWHERE:
        return "Your record was found, but the domain is still verified for somebody else here"
    if check.outcome is CheckOutcome.UNKNOWN:
        return "The DNS did not answer clearly, so nothing was changed"
    lacking = [
        PURPOSES[purpose]
        for purpose in (Purpose.OWNERSHIP, Purpose.MX)
        if not any(
            sighting.state is RecordState.FOUND
            for sighting in check.sightings
            if sighting.purpose is purpose
        )
    ]
    if not lacking:
        return "All that is needed was there"
    return f"Not there: {' and '.join(lacking)}"
