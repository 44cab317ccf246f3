"""DMARC (RFC 7489): whose word counts, and what it is."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from dns_server import Zone
from test_dkim import KEY_NAME, MAIL, ORGANISATIONS, RECEIVED_AT, private_key, record, sign

from app.core.dns import Resolver
from app.inbound.authentication.authenticator import Arrived, Authenticator
from app.inbound.authentication.dmarc import DmarcRecord, parse_dmarc, read_from_domain
from app.inbound.authentication.results import Finding, Findings

ARRIVED = Arrived("192.0.2.3", "mx.acme.example", "ada@acme.example", RECEIVED_AT, 0)


async def check(resolver: Resolver, mail: bytes = MAIL, arrived: Arrived = ARRIVED) -> Findings:
    async def chunks() -> AsyncIterator[bytes]:
        yield mail

    return await Authenticator(resolver, ORGANISATIONS).check(arrived, chunks())


def from_(domain: str) -> bytes:
    return MAIL.replace(b"ada@acme.example", b"ada@" + domain.encode())


@pytest.mark.parametrize("policy", ["none", "quarantine", "reject"])
async def test_mail_fails_with_the_policy_of_its_domain_when_nothing_proves_it(
    zone: Zone, resolver: Resolver, policy: str
) -> None:
    zone.add_text("_dmarc.acme.example", f"v=DMARC1; p={policy}")
    findings = await check(resolver)
    assert (findings.dmarc.result, findings.policy) == ("fail", policy)
    assert (findings.dmarc.domain, findings.is_aligned) == ("acme.example", False)


async def test_mail_passes_when_spf_passes_for_its_domain(zone: Zone, resolver: Resolver) -> None:
    zone.add_text("_dmarc.acme.example", "v=DMARC1; p=reject")
    zone.add_text("acme.example", "v=spf1 ip4:192.0.2.0/24 -all")
    findings = await check(resolver)
    assert (findings.spf.result, findings.dmarc.result) == ("pass", "pass")
    assert findings.is_aligned


async def test_mail_passes_when_a_signature_passes_for_its_domain(
    zone: Zone, resolver: Resolver
) -> None:
    zone.add_text("_dmarc.acme.example", "v=DMARC1; p=reject")
    zone.add_text("acme.example", "v=spf1 -all")
    zone.add_text(KEY_NAME, record(private_key(1024)))
    findings = await check(resolver, sign())
    assert (findings.spf.result, findings.dkim.result) == ("fail", "pass")
    assert findings.dmarc.result == "pass"


@pytest.mark.parametrize(
    ("tags", "from_domain", "result"),
    [
        ("p=reject", "acme.example", "pass"),
        ("p=reject", "news.acme.example", "pass"),
        ("p=reject; aspf=s", "acme.example", "fail"),
        ("p=reject; aspf=s", "mail.acme.example", "pass"),
        ("p=reject", "other.example", "fail"),
    ],
)
async def test_spf_counts_for_domains_that_are_aligned_alone(
    zone: Zone, resolver: Resolver, tags: str, from_domain: str, result: str
) -> None:
    for domain in ("acme.example", "other.example"):
        zone.add_text(f"_dmarc.{domain}", f"v=DMARC1; {tags}")
    zone.add_text("mail.acme.example", "v=spf1 +all")
    arrived = replace(ARRIVED, mail_from="ada@mail.acme.example")
    findings = await check(resolver, from_(from_domain), arrived)
    assert (findings.spf.result, findings.dmarc.result) == ("pass", result)
    assert findings.is_aligned is (result == "pass")


@pytest.mark.parametrize(("tags", "result"), [("", "pass"), ("; adkim=s", "fail")])
async def test_signature_of_the_organisation_counts_unless_alignment_is_strict(
    zone: Zone, resolver: Resolver, tags: str, result: str
) -> None:
    zone.add_text("_dmarc.acme.example", f"v=DMARC1; p=reject{tags}")
    zone.add_text(KEY_NAME, record(private_key(1024)))
    findings = await check(resolver, sign(from_("mail.acme.example")))
    assert (findings.dkim.result, findings.dmarc.result) == ("pass", result)


async def test_neighbours_under_a_public_suffix_are_not_aligned(
    zone: Zone, resolver: Resolver
) -> None:
    zone.add_text("_dmarc.one.co.uk", "v=DMARC1; p=reject")
    zone.add_text("two.co.uk", "v=spf1 +all")
    arrived = replace(ARRIVED, mail_from="ada@two.co.uk")
    findings = await check(resolver, from_("one.co.uk"), arrived)
    assert (findings.spf.result, findings.dmarc.result) == ("pass", "fail")


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("v=DMARC1; p=none; sp=reject", "reject"),
        ("v=DMARC1; p=reject; sp=none", "none"),
        ("v=DMARC1; p=quarantine", "quarantine"),
    ],
)
async def test_subdomain_follows_the_policy_for_subdomains(
    zone: Zone, resolver: Resolver, text: str, policy: str
) -> None:
    zone.add_text("_dmarc.acme.example", text)
    findings = await check(resolver, from_("deep.down.acme.example"))
    assert (findings.dmarc.result, findings.policy) == ("fail", policy)


async def test_record_of_the_subdomain_itself_comes_first(zone: Zone, resolver: Resolver) -> None:
    zone.add_text("_dmarc.acme.example", "v=DMARC1; p=reject")
    zone.add_text("_dmarc.sub.acme.example", "v=DMARC1; p=none; sp=reject")
    assert (await check(resolver, from_("sub.acme.example"))).policy == "none"


@pytest.mark.parametrize("texts", [[], ["v=DMARC2; p=reject"], ["v=DMARC1; p=reject"] * 2])
async def test_proof_stands_without_a_record(
    zone: Zone, resolver: Resolver, texts: list[str]
) -> None:
    for number, text in enumerate(texts):
        zone.add_text("_dmarc.acme.example", f"{text}; x={number}")
    zone.add_text("acme.example", "v=spf1 +all")
    findings = await check(resolver)
    assert (findings.dmarc.result, findings.dmarc.reason) == ("none", "no-record")
    assert findings.is_aligned


async def test_several_senders_are_a_permanent_error(zone: Zone, resolver: Resolver) -> None:
    zone.add_text("acme.example", "v=spf1 +all")
    for mail in (b"From: b@other.example\r\n" + MAIL, from_("acme.example>, <b@other.example")):
        findings = await check(resolver, mail)
        assert (findings.dmarc.result, findings.dmarc.reason) == ("permerror", "several-senders")
        assert not findings.is_aligned


async def test_mail_from_inside_is_neither_proven_nor_refuted(
    zone: Zone, resolver: Resolver
) -> None:
    zone.add_text("_dmarc.acme.example", "v=DMARC1; p=reject")
    findings = await check(resolver, arrived=replace(ARRIVED, client_address="10.0.0.1"))
    assert findings.dmarc == Finding("none", "acme.example", "internal-client")
    assert not findings.is_aligned
    assert zone.questions == [], "nothing could prove anything, so nothing is asked"


@pytest.mark.parametrize("name", ["acme.example", "_dmarc.acme.example", KEY_NAME])
async def test_result_is_temporary_when_the_dns_owes_an_answer_that_matters(
    zone: Zone, resolver: Resolver, name: str
) -> None:
    zone.add_text("_dmarc.acme.example", "v=DMARC1; p=reject")
    zone.failing.add(name)
    findings = await check(resolver, sign())
    assert findings.dmarc.result == "temperror"
    assert not findings.is_final


async def test_proof_is_enough_when_the_dns_owes_an_answer_beside_it(
    zone: Zone, resolver: Resolver
) -> None:
    zone.add_text("_dmarc.acme.example", "v=DMARC1; p=reject")
    zone.add_text(KEY_NAME, record(private_key(1024)))
    zone.failing.add("acme.example")
    findings = await check(resolver, sign())
    assert (findings.spf.result, findings.dmarc.result) == ("temperror", "pass")


async def test_silent_server_is_given_up_in_time(zone: Zone, resolver: Resolver) -> None:
    zone.is_down = True
    findings = await check(resolver, sign())
    assert {findings.spf.result, findings.dkim.result, findings.dmarc.result} == {"temperror"}
    assert findings.spf.domain == "acme.example"


async def test_answers_are_asked_for_once_while_they_last(zone: Zone, resolver: Resolver) -> None:
    zone.add_text("_dmarc.acme.example", "v=DMARC1; p=reject")
    zone.add_text("acme.example", "v=spf1 -all")
    for _ in range(3):
        await check(resolver)
    assert len(zone.questions) == len(set(zone.questions)) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"v=DMARC1; p=reject; pct=10", DmarcRecord("reject", False, False)),
        (b"v=DMARC1;p=Quarantine;adkim=s;aspf=r", DmarcRecord("quarantine", False, True)),
        (b"v=DMARC1; p=strange; rua=mailto:a@b.example", DmarcRecord("none", False, False)),
        (b"v=DMARC1; rua=mailto:a@b.example", DmarcRecord("none", False, False)),
        (b"v=DMARC1; p=strange", None),
        (b"v=DMARC1", None),
        (b"v=DMARC1;" + b"p=none;" * 10_000, DmarcRecord("none", False, False)),
        (b"v=DMARC1; p=\xff", None),
    ],
)
def test_record_is_read_as_it_was_meant(text: bytes, expected: DmarcRecord | None) -> None:
    assert parse_dmarc(text, is_subdomain=False) == expected


@pytest.mark.parametrize(
    ("head", "domain"),
    [
        (b"From: Ada <ada@Acme.EXAMPLE>\r\n\r\n", "acme.example"),
        (b'From: "a@evil.example" <ada@acme.example>\r\n\r\n', "acme.example"),
        ("From: ä@bücher.example\r\n\r\n".encode(), "xn--bcher-kva.example"),
        (b"From: Ada\r\n\r\n", ""),
        (b"Subject: x\r\n\r\n", ""),
        (b"From: a@acme.example, b@acme.example\r\n\r\n", "acme.example"),
        (b"From: a@acme.example, b@evil.example\r\n\r\n", None),
        (b"From: a@acme.example\r\nFrom: a@acme.example\r\n\r\n", None),
    ],
)
def test_from_domain_is_the_one_that_the_reader_sees(head: bytes, domain: str | None) -> None:
    assert read_from_domain(head) == domain
