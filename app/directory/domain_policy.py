"""What becomes of a domain by what is seen of it in the DNS. Pure: no clock, no database, no DNS.

Two records decide. The ownership record (TXT) says whose the domain is, the MX record that its
mail comes here; an address of the domain (A, AAAA) is never taken for an MX, although RFC 5321,
section 5.1, lets senders do so.

    status         its mail hears   it becomes
    pending        not ours         verified, once both are there
                                    soft_rejected, once the ownership record is there and no MX is
    verified       250              soft_rejected, once the MX is lost
                                    suspended, once the ownership record is gone
    soft_rejected  451              verified, once the MX is there
                                    suspended, 48 hours after the MX was lost, or once the
                                    ownership record is gone
    suspended      550              verified, once both are there

Only what was firmly seen moves anything: whatever is unknown, since the DNS did not answer or its
servers do not agree, leaves things as they are, however long it lasts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from app.core.backoff import Backoff

MX_GRACE = timedelta(hours=48)
"""How long mail is deferred, counted from when the MX was first seen to be lost."""


class DomainStatus(StrEnum):
    PENDING = "pending"
    VERIFIED = "verified"
    SOFT_REJECTED = "soft_rejected"
    SUSPENDED = "suspended"


class Finding(StrEnum):
    """Of one record. Absent is also what says something else."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class DomainChange(StrEnum):
    """What is worth telling. `released` is no change by what was seen of a domain: another tenant
    has shown that it is theirs."""

    VERIFIED = "verified"
    MX_LOST = "mx_lost"
    MX_RECOVERED = "mx_recovered"
    SUSPENDED = "suspended"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class DomainState:
    """`mx_lost_at` and `ownership_lost_at` are when each was first seen to be gone, until it is
    seen again. A domain whose MX was never here has not lost it."""

    status: DomainStatus
    mx_lost_at: datetime | None = None
    ownership_lost_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What one check found of the two records that decide."""

    ownership: Finding
    mx: Finding


def advance(
    state: DomainState, observation: Observation, now: datetime
) -> tuple[DomainState, Sequence[DomainChange]]:
    """The state after an observation made at `now`, and what is to be told of it."""
    status, change = _decide(state, observation, now)
    after = replace(_remember(state, observation, now), status=status)
    return after, () if change is None else (change,)


def _remember(state: DomainState, observation: Observation, now: datetime) -> DomainState:
    """Since when each record is gone. A pending domain has nothing to lose."""
    if state.status is DomainStatus.PENDING:
        return state
    had_mx = state.status is DomainStatus.VERIFIED or state.mx_lost_at is not None
    return replace(
        state,
        mx_lost_at=_since(state.mx_lost_at, observation.mx, now) if had_mx else None,
        ownership_lost_at=_since(state.ownership_lost_at, observation.ownership, now),
    )


def _since(lost_at: datetime | None, finding: Finding, now: datetime) -> datetime | None:
    if finding is Finding.PRESENT:
        return None
    return lost_at or now if finding is Finding.ABSENT else lost_at


def _decide(
    state: DomainState, observation: Observation, now: datetime
) -> tuple[DomainStatus, DomainChange | None]:
    """The status that follows, where each line of the table above is one case."""
    owned, mx = observation.ownership, observation.mx
    has_both = owned is Finding.PRESENT and mx is Finding.PRESENT
    match state.status:
        case DomainStatus.PENDING:
            if has_both:
                return DomainStatus.VERIFIED, DomainChange.VERIFIED
            if owned is Finding.PRESENT and mx is Finding.ABSENT:
                return DomainStatus.SOFT_REJECTED, DomainChange.VERIFIED
        case DomainStatus.VERIFIED:
            if owned is Finding.ABSENT:
                return DomainStatus.SUSPENDED, DomainChange.SUSPENDED
            if mx is Finding.ABSENT:
                return DomainStatus.SOFT_REJECTED, DomainChange.MX_LOST
        case DomainStatus.SOFT_REJECTED:
            if owned is Finding.ABSENT or _is_over(state, mx, now):
                return DomainStatus.SUSPENDED, DomainChange.SUSPENDED
            if mx is Finding.PRESENT:
                return DomainStatus.VERIFIED, DomainChange.MX_RECOVERED
        case DomainStatus.SUSPENDED:
            if has_both and state.ownership_lost_at is not None:
                return DomainStatus.VERIFIED, DomainChange.VERIFIED
            if has_both:
                return DomainStatus.VERIFIED, DomainChange.MX_RECOVERED
    return state.status, None


def _is_over(state: DomainState, mx: Finding, now: datetime) -> bool:
    """The 48 hours, ended by a check that still sees no MX."""
    return (
        mx is Finding.ABSENT and state.mx_lost_at is not None and now - state.mx_lost_at >= MX_GRACE
    )


_CHECK_EVERY = {
    DomainStatus.PENDING: Backoff(first_seconds=60, ceiling_seconds=6 * 3600),
    DomainStatus.VERIFIED: Backoff(first_seconds=3600, ceiling_seconds=3600),
    DomainStatus.SOFT_REJECTED: Backoff(first_seconds=120, ceiling_seconds=900),
    DomainStatus.SUSPENDED: Backoff(first_seconds=900, ceiling_seconds=6 * 3600),
}
_ASK_AGAIN = Backoff(first_seconds=60, ceiling_seconds=900)


def choose_next_check(
    status: DomainStatus, observation: Observation, checks_alike: int, now: datetime
) -> datetime:
    """When to look again: soon where somebody may be at work on the records, about every hour
    where all is well, and the more seldom the longer nothing changes. Spread by chance.

    `checks_alike` counts this check and those before it that changed nothing, from 1.
    """
    is_unknown = Finding.UNKNOWN in (observation.ownership, observation.mx)
    backoff = _CHECK_EVERY[status]
    if is_unknown and status is DomainStatus.VERIFIED:
        backoff = _ASK_AGAIN
    return now + timedelta(seconds=backoff.delay_seconds(checks_alike))
