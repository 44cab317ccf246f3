"""The state machine of domains: each line of its table, and what never happens."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.directory.domain_policy import (
    MX_GRACE,
    DomainChange,
    DomainState,
    DomainStatus,
    Finding,
    Observation,
    advance,
    choose_next_check,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)
PRESENT, ABSENT, UNKNOWN = Finding
PENDING, VERIFIED, SOFT, SUSPENDED = DomainStatus

BOTH = Observation(PRESENT, PRESENT)
NO_MX = Observation(PRESENT, ABSENT)
NO_TXT = Observation(ABSENT, PRESENT)
NOTHING = Observation(ABSENT, ABSENT)

OBSERVATIONS = st.builds(Observation, st.sampled_from(Finding), st.sampled_from(Finding))
CHECKS = st.lists(st.tuples(st.timedeltas(timedelta(), timedelta(hours=60)), OBSERVATIONS))


def follow(
    checks: Sequence[tuple[timedelta, Observation]], state: DomainState
) -> list[tuple[DomainState, Observation, DomainState, Sequence[DomainChange], datetime]]:
    """State before, what was seen, state after, what was told, and when; for each check."""
    steps, now = [], NOW
    for pause, observation in checks:
        now += pause
        after, changes = advance(state, observation, now)
        steps.append((state, observation, after, changes, now))
        state = after
    return steps


@pytest.mark.parametrize(
    ("before", "observation", "status", "changes"),
    [
        (DomainState(PENDING), BOTH, VERIFIED, [DomainChange.VERIFIED]),
        (DomainState(PENDING), NO_MX, SOFT, [DomainChange.VERIFIED]),
        (DomainState(PENDING), NO_TXT, PENDING, []),
        (DomainState(PENDING), NOTHING, PENDING, []),
        (DomainState(PENDING), Observation(PRESENT, UNKNOWN), PENDING, []),
        (DomainState(VERIFIED), BOTH, VERIFIED, []),
        (DomainState(VERIFIED), NO_MX, SOFT, [DomainChange.MX_LOST]),
        (DomainState(VERIFIED), Observation(UNKNOWN, ABSENT), SOFT, [DomainChange.MX_LOST]),
        (DomainState(VERIFIED), NO_TXT, SUSPENDED, [DomainChange.SUSPENDED]),
        (DomainState(VERIFIED), NOTHING, SUSPENDED, [DomainChange.SUSPENDED]),
        (DomainState(SOFT, EARLIER), BOTH, VERIFIED, [DomainChange.MX_RECOVERED]),
        (DomainState(SOFT, EARLIER), NO_MX, SOFT, []),
        (DomainState(SOFT, NOW - MX_GRACE), NO_MX, SUSPENDED, [DomainChange.SUSPENDED]),
        (DomainState(SOFT, NOW - MX_GRACE), BOTH, VERIFIED, [DomainChange.MX_RECOVERED]),
        (DomainState(SOFT, NOW - MX_GRACE), Observation(PRESENT, UNKNOWN), SOFT, []),
        (DomainState(SOFT, EARLIER), NO_TXT, SUSPENDED, [DomainChange.SUSPENDED]),
        (DomainState(SOFT), NO_MX, SOFT, []),
        (DomainState(SUSPENDED, EARLIER), BOTH, VERIFIED, [DomainChange.MX_RECOVERED]),
        (DomainState(SUSPENDED, None, EARLIER), BOTH, VERIFIED, [DomainChange.VERIFIED]),
        (DomainState(SUSPENDED, None, EARLIER), NO_MX, SUSPENDED, []),
        (DomainState(SUSPENDED, None, EARLIER), Observation(UNKNOWN, PRESENT), SUSPENDED, []),
    ],
)
def test_domain_goes_on_as_its_table_says(before, observation, status, changes):
    after, told = advance(before, observation, NOW)
    assert (after.status, list(told)) == (status, changes)


def test_domain_whose_mx_was_never_here_waits_for_it_without_end():
    state, _ = advance(DomainState(PENDING), NO_MX, NOW)
    state, changes = advance(state, NO_MX, NOW + timedelta(days=365))
    assert (state.status, changes) == (SOFT, ())
    assert advance(state, BOTH, NOW)[0] == DomainState(VERIFIED)


def test_hours_without_mx_count_from_the_first_check_that_missed_it():
    state, _ = advance(DomainState(VERIFIED), NO_MX, NOW)
    almost = NOW + MX_GRACE - timedelta(microseconds=1)
    state, _ = advance(state, NO_MX, almost)
    assert state == DomainState(SOFT, NOW)
    assert advance(state, NO_MX, NOW + MX_GRACE)[0].status is SUSPENDED


@given(st.sampled_from(DomainStatus), CHECKS)
def test_nothing_changes_while_nothing_is_known(status, checks):
    state = DomainState(status, NOW - timedelta(days=30))
    unknown = [(pause, Observation(UNKNOWN, UNKNOWN)) for pause, _ in checks]
    assert all(after == state and not told for _, _, after, told, _ in follow(unknown, state))


@given(CHECKS)
def test_domain_is_only_suspended_by_what_is_firmly_absent(checks):
    for before, seen, after, told, now in follow(checks, DomainState(VERIFIED)):
        if after.status is SUSPENDED and before.status is not SUSPENDED:
            missed_for = before.mx_lost_at and now - before.mx_lost_at
            assert seen.ownership is ABSENT or (
                seen.mx is ABSENT and missed_for is not None and missed_for >= MX_GRACE
            )
            assert list(told) == [DomainChange.SUSPENDED]


@given(st.sampled_from(DomainStatus), CHECKS)
def test_domain_only_receives_when_its_mx_was_seen_and_its_owner_known(status, checks):
    for before, seen, after, _, _ in follow(checks, DomainState(status)):
        if after.status is VERIFIED and before.status is not VERIFIED:
            assert seen.mx is PRESENT
            assert seen.ownership is PRESENT or before.status is SOFT


@given(CHECKS)
def test_each_change_of_status_is_told_once_and_nothing_else_is(checks):
    for before, _, after, told, _ in follow(checks, DomainState(PENDING)):
        assert len(told) == (before.status is not after.status)


@given(CHECKS)
def test_domain_is_never_pending_again_by_itself(checks):
    steps = follow(checks, DomainState(VERIFIED))
    assert all(after.status is not PENDING for _, _, after, _, _ in steps)


@pytest.mark.parametrize(("status", "seen"), [*product(DomainStatus, [BOTH, NO_MX, NOTHING])])
@pytest.mark.parametrize("alike", [1, 5, 1000])
def test_next_check_is_within_a_minute_and_six_hours(status, seen, alike):
    delay = choose_next_check(status, seen, alike, NOW) - NOW
    assert timedelta(seconds=45) <= delay <= timedelta(hours=6)


def test_pending_domain_is_looked_at_soon_first_and_then_less_and_less():
    delays = [choose_next_check(PENDING, NOTHING, alike, NOW) - NOW for alike in (1, 3, 5, 7, 9)]
    assert delays == sorted(delays)
    assert delays[0] <= timedelta(minutes=1)


def test_verified_domain_is_asked_for_again_soon_when_the_dns_did_not_answer():
    seen = Observation(PRESENT, UNKNOWN)
    assert choose_next_check(VERIFIED, seen, 1, NOW) - NOW <= timedelta(minutes=1)
    assert choose_next_check(VERIFIED, BOTH, 1, NOW) - NOW >= timedelta(minutes=45)
