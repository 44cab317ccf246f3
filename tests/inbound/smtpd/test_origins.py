"""What counts as one host and one network."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inbound.smtpd.origins import Origin, Origins
from app.settings import LOOPBACK, Networks


@pytest.mark.parametrize(
    ("address", "host", "network"),
    [
        ("192.0.2.77", "192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/48"),
    ],
)
def test_a_host_is_what_one_customer_has(address, host, network):
    assert Origins(Networks()).find(address) == Origin(address, host, network)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_trusted_and_nothing_else_unless_told(address):
    assert Origins(LOOPBACK).find(address).trusted
    assert not Origins(Networks.parse("192.0.2.0/24")).find(address).trusted
    assert Origins(Networks.parse("192.0.2.0/24")).find("192.0.2.1").trusted


@given(st.one_of(st.ip_addresses().map(str), st.text(max_size=20)))
def test_every_address_has_an_origin(address):
    origin = Origins(LOOPBACK).find(address)
    assert origin.address == address


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_all_addresses_of_one_64_are_one_host(address, other):
    origins = Origins(Networks())
    neighbour = type(address)((int(address) >> 64 << 64) | other)
    assert origins.find(str(address)).host == origins.find(str(neighbour)).host
