"""Questions to a real DNS server on loopback."""

from ipaddress import ip_address

import pytest
from dns_server import Zone

from app.core.dns import DnsUnavailable, Resolver
from app.core.errors import BadSetting
from app.settings import Listen, read_settings


async def test_answers_are_read_by_their_kind(zone: Zone, resolver: Resolver) -> None:
    zone.add_text("acme.example", "x" * 600)
    zone.add("acme.example", "A", "192.0.2.1", "192.0.2.2")
    zone.add("acme.example", "AAAA", "2001:db8::1")
    zone.add("acme.example", "MX", "20 second.example.", "10 first.example.")
    zone.add("1.2.0.192.in-addr.arpa", "PTR", "mx.acme.example.")
    assert await resolver.texts("ACME.example.") == [b"x" * 600]
    assert set(await resolver.addresses("acme.example", 4)) == {
        ip_address("192.0.2.1"),
        ip_address("192.0.2.2"),
    }
    assert await resolver.addresses("acme.example", 6) == [ip_address("2001:db8::1")]
    assert await resolver.exchangers("acme.example") == ["first.example", "second.example"]
    assert await resolver.names(ip_address("192.0.2.1")) == ["mx.acme.example"]


@pytest.mark.parametrize("name", ["gone.example", "a..b", "x" * 64 + ".example", "", "é.example"])
async def test_answer_is_empty_when_there_is_no_such_name(resolver: Resolver, name: str) -> None:
    assert list(await resolver.texts(name)) == []


async def test_answer_is_empty_when_a_name_has_no_such_record(
    zone: Zone, resolver: Resolver
) -> None:
    zone.add("acme.example", "A", "192.0.2.1")
    assert list(await resolver.texts("acme.example")) == []


async def test_dns_unavailable_is_raised_when_the_server_fails(
    zone: Zone, resolver: Resolver
) -> None:
    zone.failing.add("acme.example")
    with pytest.raises(DnsUnavailable):
        await resolver.texts("acme.example")
    zone.failing.clear()
    zone.add_text("acme.example", "back")
    assert await resolver.texts("acme.example") == [b"back"], "failures are not remembered"


async def test_answer_is_asked_for_again_once_it_is_too_old(zone: Zone, resolver: Resolver) -> None:
    zone.ttl_seconds = 0
    zone.add_text("acme.example", "x")
    for _ in range(2):
        await resolver.texts("acme.example")
    assert len(zone.questions) == 2


KEYS = {"SECRET_KEY": "s" * 32, "ENCRYPTION_KEY": "e" * 32}


def test_resolvers_are_read_from_the_environment() -> None:
    settings = read_settings({**KEYS, "DNS_RESOLVERS": "192.0.2.1:53, [2001:db8::1]:5353"})
    assert settings.dns_resolvers.addresses == (
        Listen("192.0.2.1", 53),
        Listen("2001:db8::1", 5353),
    )


@pytest.mark.parametrize("text", ["dns.example:53", "192.0.2.1", "192.0.2.1:53;"])
def test_start_is_refused_when_a_resolver_is_no_address(text: str) -> None:
    with pytest.raises(BadSetting, match="DNS_RESOLVERS must be ADDRESS:PORT"):
        read_settings({**KEYS, "DNS_RESOLVERS": text})
