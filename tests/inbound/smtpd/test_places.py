"""Who gets a place among the connections, and who loses one."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app.inbound.smtpd import replies
from app.inbound.smtpd.connections import ConnectionLimits, Connections
from app.inbound.smtpd.origins import Origins
from app.inbound.smtpd.rates import RateLimits, Rates
from app.settings import LOOPBACK


@dataclass(eq=False)
class Client:
    wasted: float = 0.0
    dismissed: bool = False

    def wasted_seconds(self) -> float:
        return self.wasted

    def dismiss(self) -> None:
        self.dismissed = True


@dataclass
class Gate:
    """`Connections` at a time of our own."""

    limits: ConnectionLimits
    seconds: float = 0.0
    connections: Connections = field(init=False)

    def __post_init__(self) -> None:
        self.rates = Rates(RateLimits(connections_per_host=0, connections_per_network=0), self.now)
        self.connections = Connections(self.limits, self.rates, Origins(LOOPBACK), self.now)

    def now(self) -> float:
        return self.seconds

    def connect(self, address, wasted=0.0):
        """The client, and the reply if it was turned away."""
        client = Client(wasted)
        origin = self.connections.find_origin(address)
        return client, self.connections.admit(client, origin)


def test_a_host_and_a_network_have_their_share():
    gate = Gate(ConnectionLimits(max_per_host=2, max_per_network=3))
    first, _ = gate.connect("192.0.2.1")
    assert gate.connect("192.0.2.1")[1] is None
    assert gate.connect("192.0.2.1")[1] is replies.TOO_MANY_HOST_CONNECTIONS
    assert gate.connect("192.0.2.2")[1] is None
    assert gate.connect("192.0.2.3")[1] is replies.TOO_MANY_NETWORK_CONNECTIONS
    assert gate.connect("192.0.3.1")[1] is None
    gate.connections.release(first)
    assert gate.connect("192.0.2.3")[1] is None


def test_addresses_of_one_64_share_what_a_host_may_have():
    gate = Gate(ConnectionLimits(max_per_host=1))
    assert gate.connect("2001:db8::1")[1] is None
    assert gate.connect("2001:db8::2")[1] is replies.TOO_MANY_HOST_CONNECTIONS
    assert gate.connect("2001:db8:0:1::1")[1] is None


def test_who_is_trusted_has_no_share_but_needs_a_place():
    gate = Gate(ConnectionLimits(max_connections=3, max_per_host=1, max_per_network=1))
    assert [gate.connect("127.0.0.1")[1] for _ in range(4)] == [
        *(None, None, None, replies.TOO_MANY_CONNECTIONS)
    ]


def test_nobody_who_is_busy_loses_a_place():
    gate = Gate(ConnectionLimits(max_connections=2))
    busy = [gate.connect(f"192.0.2.{number}", wasted=4.9)[0] for number in (1, 2)]
    assert gate.connect("198.51.100.1")[1] is replies.TOO_MANY_CONNECTIONS
    assert not any(client.dismissed for client in busy)


def test_the_greediest_network_loses_the_place_it_wasted_longest():
    gate = Gate(ConnectionLimits(max_connections=4))
    modest, _ = gate.connect("198.51.100.1", wasted=100)
    recent, _ = gate.connect("192.0.2.1", wasted=10)
    longest, _ = gate.connect("192.0.2.2", wasted=20)
    busy, _ = gate.connect("192.0.2.3")
    good, reply = gate.connect("203.0.113.1")
    assert reply is None
    assert longest.dismissed
    assert not (modest.dismissed or recent.dismissed or busy.dismissed or good.dismissed)
    assert len(gate.connections) == 4


def test_who_lost_a_place_does_not_win_it_back_by_trying():
    gate = Gate(ConnectionLimits(max_connections=2))
    for _ in range(2):
        gate.connect("192.0.2.1", wasted=10)
    assert gate.connect("198.51.100.1")[1] is None
    assert gate.connect("192.0.2.1")[1] is replies.TOO_MANY_CONNECTIONS
    assert gate.connect("203.0.113.1")[1] is None


def test_one_that_became_busy_meanwhile_keeps_its_place():
    gate = Gate(ConnectionLimits(max_connections=2))
    first, _ = gate.connect("192.0.2.1", wasted=10)
    second, _ = gate.connect("192.0.2.2", wasted=20)
    gate.connect("198.51.100.1")
    assert second.dismissed
    first.wasted = 0
    assert gate.connect("198.51.100.2")[1] is replies.TOO_MANY_CONNECTIONS
    first.wasted = 10
    gate.seconds += 1
    assert gate.connect("198.51.100.2")[1] is None


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 7), st.sampled_from([0.0, 4.0, 6.0, 50.0]), st.booleans()),
        max_size=120,
    )
)
def test_there_are_never_more_than_there_are_places_and_counts_agree(steps):
    gate = Gate(ConnectionLimits(max_connections=6, max_per_host=3, max_per_network=4))
    served: set[Client] = set()
    for number, wasted, leaves in steps:
        gate.seconds += 0.2
        if leaves and served:
            leaving = served.pop()
            gate.connections.release(leaving)
            gate.connections.release(leaving)
            continue
        client, reply = gate.connect(f"192.0.{number % 2}.{number}", wasted)
        if reply is None:
            served.add(client)
        served = {each for each in served if not each.dismissed}
        assert set(gate.connections) == served
        assert len(served) <= 6
    for client in served:
        gate.connections.release(client)
    assert not len(gate.connections)
    assert not gate.connections._by_host
    assert not gate.connections._by_network


@pytest.mark.parametrize("count", [1, 50])
def test_those_turned_away_are_reported_seldom(count):
    gate = Gate(ConnectionLimits(max_connections=0))
    with capture_logs() as logs:
        for _ in range(count):
            gate.connect("192.0.2.1")
        gate.seconds += 11
        gate.connect("192.0.2.1")
    assert [log["connections"] for log in logs] == [1, count]
