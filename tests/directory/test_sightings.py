"""What several resolvers' answers come to, for each record that a domain should have."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.directory.domain_policy import Finding
from app.directory.domain_records import (
    DkimKey,
    DnsRecord,
    Installation,
    Purpose,
    list_records,
)
from app.directory.sightings import RecordState, Seen, Sighting, agree, compare, observe

OURS = Installation(("mx1.pillarbox.example", "mx2.pillarbox.example"), "pillarbox.example")
FOUND, MISSING, DIFFERS, UNKNOWN = RecordState


def records(installation: Installation = OURS) -> Sequence[DnsRecord]:
    return list_records(
        "acme.example",
        verification_token="token",
        mta_sts_mode="testing",
        key=DkimKey("pillarbox", "MIIB"),
        installation=installation,
    )


def record(purpose: Purpose) -> DnsRecord:
    return next(record for record in records() if record.purpose is purpose)


def judge(purpose: Purpose, *texts: str) -> RecordState:
    return compare(record(purpose), [Seen(text, text) for text in texts]).state


def test_records_are_those_of_the_domain_and_of_our_hosts():
    assert [(one.name, one.type, one.value) for one in records()] == [
        ("_pillarbox.acme.example", "TXT", "pillarbox-verification=token"),
        ("acme.example", "MX", "10 mx1.pillarbox.example."),
        ("acme.example", "MX", "20 mx2.pillarbox.example."),
        ("acme.example", "TXT", "v=spf1 mx ~all"),
        ("pillarbox._domainkey.acme.example", "TXT", "v=DKIM1; k=rsa; p=MIIB"),
        (
            "_dmarc.acme.example",
            "TXT",
            "v=DMARC1; p=none; rua=mailto:postmaster@acme.example",
        ),
        ("_mta-sts.acme.example", "TXT", record(Purpose.MTA_STS).value),
        ("mta-sts.acme.example", "CNAME", "pillarbox.example."),
        (
            "_smtp._tls.acme.example",
            "TXT",
            "v=TLSRPTv1; rua=mailto:postmaster@acme.example",
        ),
    ]
    assert [one.purpose for one in records() if one.is_required] == [Purpose.OWNERSHIP, Purpose.MX]


def test_records_name_whom_mail_leaves_by_and_addresses_as_what_they_are():
    other = Installation(("mx.example",), "192.0.2.1", "amazonses.com")
    values = {one.purpose: (one.type, one.value) for one in records(other)}
    assert values[Purpose.SPF] == ("TXT", "v=spf1 mx include:amazonses.com ~all")
    assert values[Purpose.MTA_STS_HOST] == ("A", "192.0.2.1")


@pytest.mark.parametrize(
    ("purpose", "texts", "state"),
    [
        (Purpose.OWNERSHIP, ["pillarbox-verification=token"], FOUND),
        (Purpose.OWNERSHIP, ["pillarbox-verification=old", "pillarbox-verification=token"], FOUND),
        (Purpose.OWNERSHIP, ["pillarbox-verification=Token"], DIFFERS),
        (Purpose.OWNERSHIP, ["something else"], MISSING),
        (Purpose.OWNERSHIP, [], MISSING),
        (Purpose.SPF, ["v=spf1 mx ~all"], FOUND),
        (Purpose.SPF, ["other", "V=SPF1 ip4:192.0.2.1 +mx -all"], FOUND),
        (Purpose.SPF, ["v=spf1 -all"], DIFFERS),
        (Purpose.SPF, ["v=spf1 mx ~all", "v=spf1 -all"], DIFFERS),
        (Purpose.SPF, ["v=spf2.0/pra"], MISSING),
        (Purpose.DKIM, ["p=MI IB; v=DKIM1; k=rsa"], FOUND),
        (Purpose.DKIM, ["v=DKIM1; p="], DIFFERS),
        (Purpose.DKIM, [], MISSING),
        (Purpose.DMARC, ["v=DMARC1; p=reject"], FOUND),
        (Purpose.DMARC, ["v=DMARC1; p=reject", "v=DMARC1; p=none"], DIFFERS),
        (Purpose.MTA_STS, [record(Purpose.MTA_STS).value], FOUND),
        (Purpose.MTA_STS, ["v=STSv1; id=2020"], DIFFERS),
        (Purpose.TLS_RPT, ["v=TLSRPTv1; rua=mailto:x@y.example"], FOUND),
        (Purpose.MX, ["mx1.pillarbox.example", "elsewhere.example"], FOUND),
        (Purpose.MX, ["elsewhere.example"], DIFFERS),
        (Purpose.MX, ["xmx1.pillarbox.example"], DIFFERS),
        (Purpose.MX, ["."], DIFFERS),
        (Purpose.MX, [], MISSING),
    ],
)
def test_answer_is_held_against_what_the_record_is_for(purpose, texts, state):
    assert judge(purpose, *texts) is state


def test_host_that_is_an_alias_of_ours_brings_mail_here_but_is_told():
    answer = [Seen("mail.acme.example", "mx1.pillarbox.example")]
    sighting = compare(record(Purpose.MX), answer)
    assert (sighting.state, sighting.seen) == (FOUND, ("mail.acme.example",))
    assert "alias" in sighting.note


def test_one_of_our_hosts_is_enough():
    assert observe([sight(Purpose.MX, MISSING), sight(Purpose.MX, FOUND)]).mx is Finding.PRESENT
    assert observe([sight(Purpose.MX, MISSING), sight(Purpose.MX, DIFFERS)]).mx is Finding.ABSENT
    assert observe([sight(Purpose.MX, MISSING), sight(Purpose.MX, UNKNOWN)]).mx is Finding.UNKNOWN
    assert observe([]).ownership is Finding.UNKNOWN


def sight(purpose: Purpose, state: RecordState) -> Sighting:
    return Sighting(purpose, "acme.example", state)


def vote(*states: RecordState) -> RecordState:
    """What resolvers that saw these come to; unknown is one that did not answer."""
    by = {
        str(number): None if state is UNKNOWN else sight(Purpose.MX, state)
        for number, state in enumerate(states)
    }
    return agree(record(Purpose.MX), by).state


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ([FOUND], FOUND),
        ([MISSING], MISSING),
        ([], UNKNOWN),
        ([FOUND, FOUND], FOUND),
        ([FOUND, MISSING], UNKNOWN),
        ([MISSING, UNKNOWN], UNKNOWN),
        ([FOUND, FOUND, MISSING], FOUND),
        ([FOUND, FOUND, UNKNOWN], FOUND),
        ([FOUND, MISSING, MISSING], UNKNOWN),
        ([FOUND, UNKNOWN, UNKNOWN], UNKNOWN),
        ([MISSING, UNKNOWN, UNKNOWN], UNKNOWN),
        ([MISSING, MISSING, UNKNOWN], MISSING),
        ([DIFFERS, DIFFERS, MISSING], DIFFERS),
        ([UNKNOWN, UNKNOWN, UNKNOWN], UNKNOWN),
    ],
)
def test_resolvers_agree_or_nothing_is_known(states, state):
    assert vote(*states) is state


LOST = {MISSING, DIFFERS}


@given(st.integers(3, 7), st.sampled_from(RecordState), st.data())
def test_one_resolver_that_lies_changes_nothing(number, lie, data):
    truth = data.draw(st.sampled_from([FOUND, MISSING, DIFFERS]))
    liar = data.draw(st.integers(0, number - 1))
    states = [lie if index == liar else truth for index in range(number)]
    said = vote(*states)
    if truth is FOUND:
        assert said is FOUND
    else:
        assert said in {truth, UNKNOWN}


@given(st.lists(st.sampled_from(RecordState), min_size=1, max_size=7))
def test_record_is_only_lost_when_most_say_so_and_none_has_seen_it(states):
    said = vote(*states)
    if said in LOST:
        assert FOUND not in states
        assert sum(state in LOST for state in states) * 2 > len(states)
    if said is FOUND:
        assert states.count(FOUND) * 2 > len(states)


@given(st.lists(st.text(max_size=40)), st.sampled_from(records()))
def test_no_answer_breaks_a_comparison(texts, wanted):
    assert compare(wanted, [Seen(text, text) for text in texts]).state in RecordState
