"""Whatever is asked of the log, in whichever order: exactly the wanted events, and none twice."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from clocks import MovableClock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.assembly import Services
from app.core.errors import InvalidInput
from app.eventlog.event import Event, NewEvent
from app.eventlog.rates import count_rates, step_length
from app.eventlog.read import EventFilter, find_positions, read_events, read_newest, walk_events
from app.eventlog.types import EventType, expand_types

TENANTS = [UUID(int=number) for number in (1, 2)]
MAILBOXES = [None, *(UUID(int=number) for number in (11, 12, 13))]
THINGS = [UUID(int=number) for number in range(21, 26)]
TYPES = [EventType.INGEST_RECEIVED, EventType.MESSAGE_UPDATED, EventType.DOMAIN_SUSPENDED]
STEP = timedelta(minutes=7)
COUNT = 60


@pytest.fixture
async def log(services: Services, clock: MovableClock) -> Sequence[Event]:
    """Events of two tenants over seven hours, with holes between their positions."""
    for number in range(COUNT):
        clock.moved_seconds += STEP.total_seconds()
        async with services.log.transaction() as transaction:
            transaction.tell(
                NewEvent(
                    TYPES[number * 7 % 5 % 3],
                    trace_id=THINGS[number % 4],
                    subject=("message", THINGS[number % 5]),
                    tenant_id=TENANTS[number % 3 % 2],
                    mailbox_id=MAILBOXES[number % 4],
                )
            )
        if number % 9 == 0:
            await services.database.execute("select nextval('event_position_seq')")
    events = await read_events(services.database, after=0, wanted=EventFilter(), limit=1000)
    assert len(events) == COUNT
    return events


@st.composite
def filters(draw: st.DrawFn) -> EventFilter:
    optional = st.one_of
    return EventFilter(
        tenant_id=draw(optional(st.none(), st.sampled_from(TENANTS))),
        mailbox_ids=draw(optional(st.none(), st.lists(st.sampled_from(MAILBOXES[1:]), max_size=4))),
        types=draw(optional(st.none(), st.lists(st.sampled_from(TYPES), max_size=4))),
        trace_id=draw(optional(st.none(), st.none(), st.sampled_from(THINGS))),
        subject_id=draw(optional(st.none(), st.none(), st.sampled_from(THINGS))),
    )


async def test_question_is_answered_as_if_every_event_was_looked_at(
    services: Services, log: Sequence[Event]
) -> None:
    database, start = services.database, log[0].created_at
    cases: list[tuple[EventFilter, int, int, int | None, int | None]] = []

    @settings(max_examples=80, database=None, suppress_health_check=list(HealthCheck))
    @given(
        filters(),
        st.integers(-5, COUNT + 20),
        st.integers(1, COUNT),
        st.one_of(st.none(), st.integers(-10, 430)),
        st.one_of(st.none(), st.integers(-10, 430)),
    )
    def draw(
        wanted: EventFilter, position: int, limit: int, since: int | None, until: int | None
    ) -> None:
        cases.append((wanted, position, limit, since, until))

    draw()
    for drawn, position, limit, since, until in cases:
        wanted = replace(
            drawn,
            since=None if since is None else start + timedelta(minutes=since),
            until=None if until is None else start + timedelta(minutes=until),
        )
        fitting = [event for event in log if wanted.matches(event)]
        later = [event for event in fitting if event.position > position]
        earlier = [event for event in reversed(fitting) if event.position < position]
        assert (
            await read_events(database, after=position, wanted=wanted, limit=limit)
            == (later[:limit])
        )
        assert (
            await read_newest(database, before=position, wanted=wanted, limit=limit)
            == (earlier[:limit])
        )
        walked = [e async for batch in walk_events(database, after=0, wanted=wanted) for e in batch]
        assert walked == fitting


async def test_position_of_a_time_lies_between_what_is_older_and_what_is_not(
    services: Services, log: Sequence[Event]
) -> None:
    moments = [log[0].created_at + timedelta(minutes=number) for number in range(-20, 460, 3)]
    found = await find_positions(services.database, moments)
    for moment, position in zip(moments, found, strict=True):
        older = [event for event in log if event.created_at < moment]
        assert [event for event in log if event.position < position] == older


async def test_empty_log_has_no_events_at_any_time(services: Services, clock: MovableClock) -> None:
    assert await find_positions(services.database, [clock.now()]) == [1]
    wanted = EventFilter(since=clock.now(), until=clock.now())
    assert await read_events(services.database, after=0, wanted=wanted, limit=5) == []


async def test_walk_ends_where_the_log_ended_when_it_began(
    services: Services, log: Sequence[Event]
) -> None:
    seen = []
    async for batch in walk_events(services.database, after=0, wanted=EventFilter()):
        seen += batch
        async with services.log.transaction() as transaction:
            transaction.tell(NewEvent(TYPES[0], trace_id=THINGS[0], subject=("message", THINGS[0])))
    assert seen == log


@pytest.mark.parametrize("mailbox_ids", [None, MAILBOXES[1:3]])
async def test_rates_count_each_event_in_its_step(
    services: Services, log: Sequence[Event], mailbox_ids: Sequence[UUID] | None
) -> None:
    since, until = log[5].created_at, log[-5].created_at
    wanted = EventFilter(TENANTS[0], mailbox_ids, TYPES[:2])
    rates = await count_rates(
        services.database,
        TENANTS[0],
        types=TYPES[:2],
        mailbox_ids=mailbox_ids,
        since=since,
        until=until,
        steps=6,
    )
    assert not rates.is_about
    assert (rates.steps[0].start, rates.steps[-1].end) == (since, until)
    for step in rates.steps:
        fitting = [
            event.type
            for event in log
            if wanted.matches(event) and step.start <= event.created_at < step.end
        ]
        assert step.events == {kind: fitting.count(kind) for kind in set(fitting)}


@pytest.mark.parametrize("mailbox_ids", [None, [UUID(int=11)]])
async def test_rates_are_about_right_when_more_happened_than_is_counted(
    services: Services,
    clock: MovableClock,
    mailbox_ids: Sequence[UUID] | None,
) -> None:
    since: datetime = clock.now()
    await services.database.execute(
        """insert into event (id, tenant_id, mailbox_id, type, trace_id, subject_type, subject_id,
            created_at)
        select gen_random_uuid(), $1, $2, 'ingest.received', $1, 'message', $1,
            $3::timestamptz + number * interval '1 second'
        from generate_series(0, 5999) as number""",
        TENANTS[0],
        UUID(int=11),
        since,
    )
    rates = await count_rates(
        services.database,
        TENANTS[0],
        types=TYPES,
        mailbox_ids=mailbox_ids,
        since=since,
        until=since + timedelta(seconds=6000),
        steps=2,
    )
    assert rates.is_about
    assert [step.events for step in rates.steps] == [{"ingest.received": 3000}] * 2


def test_step_is_the_shortest_that_keeps_to_the_most() -> None:
    assert step_length(timedelta(hours=1), 60) == timedelta(minutes=1)
    assert step_length(timedelta(days=1), 48) == timedelta(minutes=30)
    assert step_length(timedelta(days=7), 60) == timedelta(hours=3)
    assert step_length(timedelta(days=10**5), 60) == timedelta(days=3650)


def test_group_stands_for_all_of_its_types_and_a_wrong_name_for_none() -> None:
    assert expand_types(["ingest.received", "ingest.*"]) == [EventType.INGEST_RECEIVED]
    assert set(expand_types(["domain.*"])) == {k for k in EventType if k.startswith("domain.")}
    for wrong in ("ingest.recieved", "*", ".*", "ingest*", "ingest.", "webhook.*.*", ""):
        with pytest.raises(InvalidInput):
            expand_types([wrong])
