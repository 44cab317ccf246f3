"""Counts in a window: what they allow, and that they never grow without bound."""

from collections import defaultdict
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inbound.smtpd import replies
from app.inbound.smtpd.origins import Origin
from app.inbound.smtpd.rates import WINDOW_SECONDS, RateCounter, RateLimits, Rates
from app.inbound.smtpd.replies import Refusal

HOST = Origin("192.0.2.1", "192.0.2.1", "192.0.2.0/24")
NEIGHBOUR = Origin("192.0.2.2", "192.0.2.2", "192.0.2.0/24")
STRANGER = Origin("198.51.100.1", "198.51.100.1", "198.51.100.0/24")
RELAY = Origin("127.0.0.1", "127.0.0.1", "127.0.0.0/24", trusted=True)


@dataclass
class Time:
    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> Time:
    return Time()


@given(
    steps=st.lists(
        st.tuples(st.sampled_from("abcd"), st.floats(0, 45, allow_nan=False)), max_size=200
    ),
    limit=st.integers(1, 5),
)
def test_no_key_gets_more_than_its_limit_in_a_window_of_the_clock(steps, limit):
    time = Time()
    counter = RateCounter(time)
    taken: defaultdict[str, list[float]] = defaultdict(list)
    for key, wait_seconds in steps:
        time.seconds += wait_seconds
        if counter.add(key, limit) <= limit:
            taken[key].append(time.seconds)
    for times in taken.values():
        for at in times:
            window = (at - 1000) // WINDOW_SECONDS
            assert sum((t - 1000) // WINDOW_SECONDS == window for t in times) <= limit
            assert sum(at <= t < at + WINDOW_SECONDS for t in times) <= 2 * limit


@given(
    steps=st.lists(st.tuples(st.integers(0, 10_000), st.floats(0, 30)), max_size=300),
    max_keys=st.integers(0, 10),
    shared_counts=st.integers(1, 4),
)
def test_memory_is_bounded_however_many_keys_come(steps, max_keys, shared_counts):
    time = Time()
    counter = RateCounter(time, max_keys=max_keys, shared_counts=shared_counts)
    for number, wait_seconds in steps:
        time.seconds += wait_seconds
        counter.add(f"2001:db8:{number:x}::/64")
        assert len(counter) <= 2 * (max_keys + shared_counts)


@given(keys=st.lists(st.integers(0, 50), max_size=200), max_keys=st.integers(0, 10))
def test_no_key_is_counted_too_low_when_counts_are_shared(keys, max_keys):
    counter = RateCounter(Time(), max_keys=max_keys, shared_counts=2)
    seen: defaultdict[str, int] = defaultdict(int)
    for number in keys:
        key = str(number)
        seen[key] += 1
        assert counter.add(key) >= seen[key]
        assert counter.count(key) >= seen[key]


def test_what_is_a_minute_old_no_longer_counts(time):
    counter = RateCounter(time)
    for _ in range(10):
        counter.add("a")
    time.seconds += WINDOW_SECONDS
    assert counter.count("a") == 10
    time.seconds += WINDOW_SECONDS / 2
    assert counter.count("a") == 5
    time.seconds += WINDOW_SECONDS / 2
    assert counter.count("a") == 0


def test_a_host_that_connects_too_often_is_turned_away_until_the_minute_is_over(time):
    rates = Rates(RateLimits(connections_per_host=2), time)
    assert [rates.take_connection(HOST) for _ in range(3)] == [
        *(None, None, replies.HOST_CONNECTION_RATE)
    ]
    assert rates.take_connection(NEIGHBOUR) is None
    time.seconds += 2 * WINDOW_SECONDS
    assert rates.take_connection(HOST) is None


def test_a_network_that_connects_too_often_is_turned_away(time):
    rates = Rates(RateLimits(connections_per_network=2), time)
    rates.take_connection(HOST)
    rates.take_connection(NEIGHBOUR)
    assert rates.take_connection(HOST) is replies.NETWORK_CONNECTION_RATE
    assert rates.take_connection(STRANGER) is None


@pytest.mark.parametrize("origin", [HOST, RELAY])
def test_zero_is_no_limit_and_who_is_trusted_has_none(time, origin):
    number = 0 if origin is HOST else 1
    limits = RateLimits(
        connections_per_host=number,
        connections_per_network=number,
        messages_per_host=number,
        recipients_per_host=number,
        recipients_per_domain=number,
    )
    rates = Rates(limits, time)
    for _ in range(5):
        assert rates.take_connection(origin) is None
        rates.take_message(origin)
        rates.take_recipient(origin)
        rates.take_domain(origin, "example.test")


def test_a_domain_is_charged_for_what_is_taken_only(time):
    rates = Rates(RateLimits(recipients_per_domain=2), time)
    for _ in range(2):
        rates.take_domain(HOST, "example.test")
    for _ in range(50):
        with pytest.raises(Refusal):
            rates.take_domain(HOST, "example.test")
    rates.take_domain(HOST, "other.test")
    time.seconds += 1.5 * WINDOW_SECONDS
    rates.take_domain(STRANGER, "example.test")


def test_who_lost_a_place_gets_no_other_before_it_has_sent_mail(time):
    rates = Rates(RateLimits(), time)
    assert rates.deserves_place(HOST)
    rates.record_waste(HOST)
    assert not rates.deserves_place(HOST)
    assert rates.deserves_place(NEIGHBOUR)
    rates.record_stored(HOST)
    rates.record_stored(HOST)
    assert rates.deserves_place(HOST)
    time.seconds += 2 * WINDOW_SECONDS
    assert rates.deserves_place(HOST)
