"""SPF (RFC 7208) against a real DNS server."""

import pytest
from dns_server import Zone

from app.core.dns import DnsUnavailable, Resolver
from app.inbound.authentication.spf import check_spf

CLIENT = "192.0.2.3"
SIX = "2001:db8::cb01"


async def spf(
    resolver: Resolver, client: str = CLIENT, *, mail_from: str = "strong-bad@email.example.com"
) -> str:
    finding = await check_spf(resolver, client, "mx.example.org", mail_from)
    return finding.result.value


@pytest.mark.parametrize(
    ("record", "client", "result"),
    [
        ("v=spf1 -all", CLIENT, "fail"),
        ("v=spf1 ~all", CLIENT, "softfail"),
        ("v=spf1 ?all", CLIENT, "neutral"),
        ("v=spf1", CLIENT, "neutral"),
        ("V=SPF1 +ALL", CLIENT, "pass"),
        ("v=spf10 -all", CLIENT, "none"),
        ("v=spf1 ip4:192.0.2.0/24 -all", CLIENT, "pass"),
        ("v=spf1 ip4:192.0.2.3 -all", CLIENT, "pass"),
        ("v=spf1 ip4:192.0.3.0/24 -all", CLIENT, "fail"),
        ("v=spf1 ip4:192.0.2.0/24 -all", SIX, "fail"),
        ("v=spf1 ip4:192.0.2.0/24 -all", f"::ffff:{CLIENT}", "pass"),
        ("v=spf1 ip6:2001:db8::/32 -all", SIX, "pass"),
        ("v=spf1 a:host.example.com -all", CLIENT, "pass"),
        ("v=spf1 a:host.example.com/24//64 -all", "192.0.2.77", "pass"),
        ("v=spf1 a:six.example.com -all", SIX, "pass"),
        ("v=spf1 mx:example.com -all", CLIENT, "pass"),
        ("v=spf1 mx:example.com -all", "192.0.2.99", "fail"),
        ("v=spf1 ptr:example.com -all", CLIENT, "pass"),
        ("v=spf1 exists:%{ir}.%{v}.%{d2}.example.org -all", CLIENT, "pass"),
        ("v=spf1 include:passing.example.com -all", CLIENT, "pass"),
        ("v=spf1 include:failing.example.com ~all", CLIENT, "softfail"),
        ("v=spf1 redirect=passing.example.com", CLIENT, "pass"),
        ("v=spf1 include:_spf.example.com -all", CLIENT, "pass"),
        ("v=spf1 redirect=passing.example.com -all", CLIENT, "fail"),
        ("v=spf1 unknown=%{d}/x -all", CLIENT, "fail"),
        ("v=spf1 a:%{d1r}.%{h1}.%{o1r}.test exists:%{p}.who.test -all", CLIENT, "pass"),
        # Broken records are permanent errors as a whole.
        ("v=spf1 ip4:192.0.2.3 nonsense", CLIENT, "permerror"),
        ("v=spf1 ip4:192.0.2.3 ip4:1.2.3", CLIENT, "permerror"),
        ("v=spf1 ip4:192.0.2.3 ip4:1.2.3.4/255.255.0.0", CLIENT, "permerror"),
        ("v=spf1 +all a:foo/33", CLIENT, "permerror"),
        ("v=spf1 +all include:nodots", CLIENT, "permerror"),
        ("v=spf1 +all exists:%{d0}.example", CLIENT, "pass"),
        ("v=spf1 exists:%{d0}.example", CLIENT, "permerror"),
        ("v=spf1 +all exists:%{c}.example.com", CLIENT, "permerror"),
        ("v=spf1 +all exists:%{q}.example.com", CLIENT, "permerror"),
        ("v=spf1 +all redirect=a.example redirect=a.example", CLIENT, "permerror"),
        ("v=spf1 include:nothing.example.com +all", CLIENT, "permerror"),
        ("v=spf1 redirect=nothing.example.com", CLIENT, "permerror"),
        ("v=spf1 \\195\\164 +all", CLIENT, "permerror"),
    ],
)
async def test_result_is_that_of_the_first_match_when_a_record_is_evaluated(
    zone: Zone, resolver: Resolver, record: str, client: str, result: str
) -> None:
    zone.add("email.example.com", "TXT", f'"{record}"')
    zone.add("host.example.com", "A", CLIENT)
    zone.add("six.example.com", "AAAA", SIX)
    zone.add("example.com", "MX", "10 host.example.com.", "20 gone.example.com.")
    zone.add("3.2.0.192.in-addr.arpa", "PTR", "host.example.com.", "liar.example.com.")
    zone.add("3.2.0.192.in-addr.example.com.example.org", "A", "127.0.0.2")
    zone.add("host.example.com.who.test", "A", "127.0.0.2")
    zone.add_text("passing.example.com", "v=spf1 +all")
    zone.add_text("_spf.example.com", "v=spf1 +all")
    zone.add_text("failing.example.com", "v=spf1 -all")
    assert await spf(resolver, client) == result


async def test_several_records_are_a_permanent_error(zone: Zone, resolver: Resolver) -> None:
    zone.add_text("email.example.com", "v=spf1 +all")
    zone.add_text("email.example.com", "v=spf1 -all")
    zone.add_text("email.example.com", "something else")
    assert await spf(resolver) == "permerror"


async def test_helo_name_is_asked_when_the_reverse_path_is_null(
    zone: Zone, resolver: Resolver
) -> None:
    zone.add_text("mx.example.org", "v=spf1 +all")
    finding = await check_spf(resolver, CLIENT, "MX.example.org", "")
    assert (finding.result, finding.domain) == ("pass", "mx.example.org")


@pytest.mark.parametrize(
    ("client", "reason"),
    [
        ("", "no-client-address"),
        ("unix", "no-client-address"),
        *((address, "internal-client") for address in ("127.0.0.1", "::1", "10.1.2.3", "fd00::1")),
    ],
)
async def test_nothing_is_asked_when_the_client_speaks_for_nobody(
    zone: Zone, resolver: Resolver, client: str, reason: str
) -> None:
    finding = await check_spf(resolver, client, "mx.example.org", "a@example.com")
    assert (finding.result, finding.reason) == ("none", reason)
    assert zone.questions == []


@pytest.mark.parametrize("mail_from", ["a@localhost", "a@" + "x" * 300, "a@b..example", "a"])
async def test_result_is_none_when_the_domain_is_none(resolver: Resolver, mail_from: str) -> None:
    assert await spf(resolver, mail_from=mail_from) == "none"


async def test_evaluation_ends_when_records_include_each_other(
    zone: Zone, resolver: Resolver
) -> None:
    zone.add_text("email.example.com", "v=spf1 include:loop.example.com -all")
    zone.add_text("loop.example.com", "v=spf1 include:email.example.com -all")
    assert await spf(resolver) == "permerror"
    assert len(zone.questions) == 2, "the second time round comes from the cache"


async def test_eleventh_lookup_is_a_permanent_error(zone: Zone, resolver: Resolver) -> None:
    for number in range(12):
        zone.add(f"h{number}.example.com", "A", "198.51.100.1")
    ten = " ".join(f"a:h{number}.example.com" for number in range(10))
    zone.add_text("email.example.com", f"v=spf1 {ten} -all")
    zone.add_text("more.example.com", f"v=spf1 {ten} a:h10.example.com -all")
    assert await spf(resolver) == "fail"
    assert await spf(resolver, mail_from="a@more.example.com") == "permerror"


async def test_third_lookup_for_nothing_is_a_permanent_error(
    zone: Zone, resolver: Resolver
) -> None:
    zone.add_text("email.example.com", "v=spf1 a:n1.example.com a:n2.example.com -all")
    zone.add_text("more.example.com", "v=spf1 a:n1.test a:n2.test a:n3.test -all")
    assert await spf(resolver) == "fail"
    assert await spf(resolver, mail_from="a@more.example.com") == "permerror"


async def test_more_than_ten_exchangers_are_a_permanent_error(
    zone: Zone, resolver: Resolver
) -> None:
    zone.add("example.com", "MX", *(f"{n} h{n}.example.com." for n in range(11)))
    zone.add_text("email.example.com", "v=spf1 mx:example.com -all")
    assert await spf(resolver) == "permerror"


@pytest.mark.parametrize("record", ["a:ill.example.com", "include:ill.example.com", "mx:ill.test"])
async def test_dns_unavailable_is_raised_when_a_server_fails(
    zone: Zone, resolver: Resolver, record: str
) -> None:
    zone.add_text("email.example.com", f"v=spf1 {record} -all")
    zone.failing |= {"ill.example.com", "ill.test"}
    with pytest.raises(DnsUnavailable):
        await spf(resolver)


async def test_failing_reverse_lookup_is_no_match(zone: Zone, resolver: Resolver) -> None:
    zone.failing.add("3.2.0.192.in-addr.arpa")
    zone.add_text("email.example.com", "v=spf1 ptr ~all")
    assert await spf(resolver) == "softfail"


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 " + "a" * 60_000,
        "v=spf1 exists:" + "%{d" + "0" * 60_000,
        "v=spf1 exists:x." + "a" * 50_000 + "!",
        "v=spf1 " + "a/" * 30_000,
        "v=spf1 " + "?all " * 12_000,
    ],
)
async def test_record_is_refused_at_once_when_it_is_made_to_be_slow(record: str) -> None:
    from app.inbound.authentication.spf_record import BadRecord, parse_record

    with pytest.raises(BadRecord):
        parse_record(record.encode())
