"""The line above a message that says who sent it."""

from dataclasses import replace

import pytest
from page_samples import ASSETS, HOSTILE, FixedClock, make_message, make_row

from app.inbox.authentication import AuthenticationView
from app.web.rendering import create_environment

PASSED = AuthenticationView(
    spf="fail",
    spf_domain="acme.example",
    spf_reason="",
    dkim="pass",
    dkim_domain="acme.example",
    dkim_reason="",
    dmarc="pass",
    dmarc_reason="",
    dmarc_policy="reject",
    from_domain="acme.example",
    is_aligned=True,
    is_pending=False,
)


def render(authentication: AuthenticationView | None) -> str:
    template = create_environment(FixedClock(), ASSETS).get_template(
        "messages/_authentication.html"
    )
    message = make_message(make_row(), authentication=authentication)
    return template.render(message=message)


def test_line_says_who_sent_it_and_the_details_why() -> None:
    page = render(PASSED)
    assert 'class="proof verified"' in page
    assert "Verified: sent by acme.example" in page
    for result in ("SPF", "fail", "DKIM", "pass", "DMARC", "acme.example signed it"):
        assert result in page


def test_line_says_that_it_is_being_checked_until_it_was() -> None:
    page = render(None)
    assert 'class="proof pending"' in page
    assert "Being checked" in page


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"dmarc": "fail"}, "failed"),
        ({"dmarc": "fail", "dmarc_policy": "none"}, "unproven"),
        ({"dmarc": "temperror", "is_pending": True}, "pending"),
    ],
)
def test_line_looks_as_it_reads(changes: dict[str, object], verdict: str) -> None:
    assert f'class="proof {verdict}"' in render(replace(PASSED, **changes))


def test_line_escapes_domains() -> None:
    page = render(replace(PASSED, from_domain=HOSTILE, spf_domain=HOSTILE, dkim_domain=HOSTILE))
    assert "<script" not in page
