"""Authentication results as people read them."""

from dataclasses import replace
from itertools import product

import pytest

from app.inbound.authentication.results import Result
from app.inbox.authentication import AuthenticationView, Verdict

NOTHING = AuthenticationView(
    spf="none",
    spf_domain="acme.example",
    spf_reason="",
    dkim="none",
    dkim_domain="",
    dkim_reason="",
    dmarc="none",
    dmarc_reason="no-record",
    dmarc_policy="",
    from_domain="acme.example",
    is_aligned=False,
    is_pending=False,
)


@pytest.mark.parametrize(
    ("changes", "verdict", "headline"),
    [
        ({}, Verdict.UNPROVEN, "Not verified: nothing proves that acme.example sent this"),
        ({"is_aligned": True}, Verdict.VERIFIED, "Verified: sent by acme.example"),
        (
            {"dmarc": "pass", "dmarc_policy": "reject", "is_aligned": True},
            Verdict.VERIFIED,
            "Verified: sent by acme.example",
        ),
        (
            {"dmarc": "fail", "dmarc_policy": "quarantine"},
            Verdict.FAILED,
            "Failed: acme.example says that this is not from it",
        ),
        (
            {"dmarc": "fail", "dmarc_policy": "none"},
            Verdict.UNPROVEN,
            "Not verified: nothing proves that acme.example sent this",
        ),
        (
            {"dmarc": "temperror", "is_pending": True},
            Verdict.PENDING,
            "Being checked: the DNS did not answer yet",
        ),
        (
            {"dmarc": "permerror", "dmarc_reason": "several-senders", "from_domain": ""},
            Verdict.UNPROVEN,
            "Not verified: it claims several senders at once",
        ),
        ({"from_domain": ""}, Verdict.UNPROVEN, "Not verified: it does not say who sent it"),
        # Aligned, but not as strictly as the domain wants it.
        (
            {"dmarc": "fail", "dmarc_policy": "reject", "is_aligned": True},
            Verdict.FAILED,
            "Failed: acme.example says that this is not from it",
        ),
    ],
)
def test_headline_says_what_is_known(
    changes: dict[str, object], verdict: Verdict, headline: str
) -> None:
    view = replace(NOTHING, **changes)
    assert (view.verdict, view.headline) == (verdict, headline)


def test_every_result_has_a_sentence() -> None:
    for result, domain in product(Result, ("", "acme.example", "{evil}")):
        view = replace(
            NOTHING,
            spf=result.value,
            dkim=result.value,
            dmarc=result.value,
            spf_domain=domain,
            dkim_domain=domain,
            from_domain=domain,
        )
        for method in view.methods:
            assert method.sentence.endswith(".")
            assert method.result == result


def test_reason_is_said_where_there_is_one() -> None:
    view = replace(NOTHING, dkim="fail", dkim_domain="acme.example", dkim_reason="expired")
    (_, dkim, _) = view.methods
    assert dkim.sentence == "The signature of acme.example had expired when it arrived."
