"""Signing in through a certified provider, in a real browser, and what must not get in."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from accessibility import find_faults
from browser import create_account, sign_in
from keyboard import tick, use, write
from oidc_provider import OpenIdProvider, openid_provider
from pillarbox import Pillarbox, installation
from playwright.sync_api import Browser, Page, expect

pytest_plugins = ["chromium"]
pytestmark = [pytest.mark.browser, pytest.mark.flow]
expect.set_options(timeout=20_000)

SETTINGS = "/admin/settings/sign-in"


@pytest.fixture(scope="module")
def pillarbox() -> Iterator[Pillarbox]:
    often = {"SIGN_IN_REQUESTS_PER_HOUR": "1000"}
    with installation(EGRESS_ALLOW="127.0.0.0/8, ::1", **often) as pillarbox:
        yield pillarbox.start()


@pytest.fixture(scope="module")
def provider(
    pillarbox: Pillarbox, chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OpenIdProvider]:
    """One that the owner of `acme` has set up, by the page for it."""
    folder: Path = tmp_path_factory.mktemp("provider")
    url = pillarbox.url
    with openid_provider(folder, f"{url}/sign-in/sso", f"{url}/signed-out") as provider:
        owner = create_account(pillarbox, "acme", "enterprise")
        context = chromium.new_context()
        page = context.new_page()
        sign_in(page, owner)
        page.goto(f"{url}{SETTINGS}")
        fill_in(page, provider)
        expect(page.get_by_text("In use")).to_be_visible()
        assert find_faults(page) == []
        context.close()
        yield provider


def fill_in(page: Page, provider: OpenIdProvider) -> None:
    """By keyboard alone."""
    write(page, page.get_by_label("Issuer"), provider.issuer)
    write(page, page.get_by_label("Client ID"), provider.client_id)
    write(page, page.get_by_label("Client secret"), provider.client_secret)
    tick(page, page.get_by_label("acme.test"))
    write(page, page.get_by_label("Claim that names roles"), "groups")
    write(page, page.get_by_label("Roles by the claim's values"), "chiefs = owner\nclerks = agent")
    form = page.locator(f"form[action='{SETTINGS}/provider']")
    use(page, form.get_by_role("button", name="Save"))


def ask(page: Page, pillarbox: Pillarbox, email: str) -> str:
    """Up to the button that leads to the provider. Its address."""
    page.goto(f"{pillarbox.url}/sign-in")
    page.get_by_label("Your e-mail address").fill(email)
    page.get_by_role("button", name="Send me a link").click()
    href = page.get_by_role("link", name="Go on to localhost").get_attribute("href")
    assert href
    return href


def log_in(page: Page, email: str) -> None:
    """At the provider, which asks who it is and whether we may know."""
    page.locator("input[name=login]").fill(email)
    page.locator("input[name=password]").fill("any")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()


def enter(page: Page, pillarbox: Pillarbox, email: str) -> None:
    page.goto(ask(page, pillarbox, email))
    log_in(page, email)
    page.wait_for_url(f"{pillarbox.url}/inbox")


def change_query(url: str, **changes: str) -> str:
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    return urlsplit(url)._replace(query=urlencode(query | changes)).geturl()


def expect_refused(page: Page, words: str) -> None:
    expect(page.get_by_role("heading", name="You are not signed in")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text(words)
    names = {cookie["name"] for cookie in page.context.cookies(page.url)}
    assert "pillarbox" not in names


def find_return(page: Page, pillarbox: Pillarbox, email: str) -> str:
    """The address by which the provider sends this browser back; it was not used up yet, since the
    browser was made to forget for a while that it had left."""
    went: list[str] = []
    page.on("request", lambda request: went.append(request.url))
    page.goto(ask(page, pillarbox, email))
    (kept,) = [one for one in page.context.cookies() if one["name"] == "pillarbox-sso"]
    page.context.clear_cookies(name="pillarbox-sso")
    log_in(page, email)
    expect_refused(page, "not begun in this browser")
    page.context.add_cookies([kept])  # type: ignore[list-item]
    return next(url for url in reversed(went) if urlsplit(url).path == "/sign-in/sso")


def test_somebody_new_becomes_a_member_with_the_role_of_their_claim(
    pillarbox: Pillarbox, provider: OpenIdProvider, page: Page
) -> None:
    enter(page, pillarbox, "clerk@acme.test")
    page.goto(f"{pillarbox.url}/settings/sessions")
    expect(page.locator("#main")).to_contain_text("clerk@acme.test")
    expect(page.locator("#main")).to_contain_text("through your organisation")
    assert page.goto(f"{pillarbox.url}{SETTINGS}").status == 403  # type: ignore[union-attr]


def test_owner_is_whom_a_line_names_on_purpose_and_may_turn_mail_off(
    pillarbox: Pillarbox, provider: OpenIdProvider, page: Page, chromium: Browser
) -> None:
    enter(page, pillarbox, "chief@acme.test")
    page.goto(f"{pillarbox.url}{SETTINGS}")
    mail = page.get_by_label("People may sign in by a link")
    mail.uncheck()
    form = page.locator(f"form[action='{SETTINGS}/mail']")
    form.get_by_role("button", name="Save").click()
    expect(mail).not_to_be_checked()
    another = chromium.new_context()
    visitor = another.new_page()
    ask(visitor, pillarbox, "clerk@acme.test")
    expect(visitor.get_by_role("button", name="Send me a link by mail")).to_have_count(0)
    another.close()
    mail.check()
    form.get_by_role("button", name="Save").click()
    expect(mail).to_be_checked()


def test_owner_who_came_by_mail_cannot_lock_everybody_out(
    pillarbox: Pillarbox, provider: OpenIdProvider, page: Page
) -> None:
    said = pillarbox.run("user", "add", "person@acme.test", "--tenant", "acme", "--role", "owner")
    page.goto(said.split()[-1])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/inbox")
    page.goto(f"{pillarbox.url}{SETTINGS}")
    page.get_by_label("People may sign in by a link").uncheck()
    page.locator(f"form[action='{SETTINGS}/mail']").get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Sign in through your provider once")
    page.reload()
    expect(page.get_by_label("People may sign in by a link")).to_be_checked()


def test_wrong_state_is_refused(pillarbox: Pillarbox, provider: OpenIdProvider, page: Page) -> None:
    page.goto(change_query(ask(page, pillarbox, "clerk@acme.test"), state="another"))
    log_in(page, "clerk@acme.test")
    expect_refused(page, "not begun in this browser")


def test_state_of_another_browser_is_refused(
    pillarbox: Pillarbox, provider: OpenIdProvider, page: Page, chromium: Browser
) -> None:
    address = find_return(page, pillarbox, "clerk@acme.test")
    another = chromium.new_context()
    victim = another.new_page()
    ask(victim, pillarbox, "clerk@acme.test")
    victim.goto(address)
    expect_refused(victim, "not begun in this browser")
    another.close()


def test_wrong_nonce_is_refused(pillarbox: Pillarbox, provider: OpenIdProvider, page: Page) -> None:
    page.goto(change_query(ask(page, pillarbox, "clerk@acme.test"), nonce="another"))
    log_in(page, "clerk@acme.test")
    expect_refused(page, "not for this sign-in")


def test_replayed_code_is_refused(
    pillarbox: Pillarbox, provider: OpenIdProvider, page: Page
) -> None:
    answers: list[str] = []
    page.on("request", lambda request: answers.append(request.url))
    enter(page, pillarbox, "clerk@acme.test")
    (used,) = [url for url in answers if urlsplit(url).path == "/sign-in/sso"]
    page.context.clear_cookies(name="pillarbox")
    page.goto(used)
    expect_refused(page, "not begun in this browser")
    fresh = ask(page, pillarbox, "clerk@acme.test")
    (state,) = parse_qs(urlsplit(fresh).query)["state"]
    page.goto(change_query(used, state=state))
    expect_refused(page, "did not answer as OpenID Connect asks")


def test_answer_of_another_issuer_is_refused(
    pillarbox: Pillarbox, provider: OpenIdProvider, page: Page
) -> None:
    for issuer in ("https://evil.test", ""):
        page.context.clear_cookies()
        address = find_return(page, pillarbox, "clerk@acme.test")
        page.goto(change_query(address, iss=issuer))
        expect_refused(page, "Another provider answered")


def test_address_that_is_not_verified_or_of_another_domain_is_refused(
    pillarbox: Pillarbox, provider: OpenIdProvider, page: Page
) -> None:
    for email, words in (
        ("unverified@acme.test", "has not verified"),
        ("chief@elsewhere.test", "not of a domain"),
    ):
        page.context.clear_cookies()
        page.goto(ask(page, pillarbox, "clerk@acme.test"))
        log_in(page, email)
        expect_refused(page, words)


def test_no_consent_is_no_sign_in(
    pillarbox: Pillarbox, provider: OpenIdProvider, page: Page
) -> None:
    page.goto(ask(page, pillarbox, "clerk@acme.test"))
    page.get_by_role("link", name="Cancel").click()
    expect_refused(page, "did not let you in")


def test_keys_may_change_between_two_sign_ins(
    pillarbox: Pillarbox, provider: OpenIdProvider, page: Page
) -> None:
    enter(page, pillarbox, "clerk@acme.test")
    page.context.clear_cookies()
    provider.stop()
    provider.start("second")
    page.goto(ask(page, pillarbox, "clerk@acme.test"))
    log_in(page, "clerk@acme.test")
    page.wait_for_url("**/inbox")


def test_signing_out_leads_to_the_provider_too(
    pillarbox: Pillarbox, provider: OpenIdProvider, page: Page
) -> None:
    enter(page, pillarbox, "clerk@acme.test")
    page.locator(".rail-end").get_by_role("button", name="Sign out").click()
    assert find_faults(page) == []
    page.get_by_role("link", name="Sign out of localhost").click()
    page.get_by_role("button", name="Yes, sign me out").click()
    page.wait_for_url(f"{pillarbox.url}/signed-out")
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    page.goto(ask(page, pillarbox, "clerk@acme.test"))
    expect(page.locator("input[name=login]")).to_be_visible()


def test_provider_that_is_away_leaves_the_way_by_mail(
    pillarbox: Pillarbox, provider: OpenIdProvider, page: Page
) -> None:
    ask(page, pillarbox, "nobody.knows@acme.test")
    assert find_faults(page) == []
    page.get_by_role("button", name="Send me a link by mail instead").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    address = find_return(page, pillarbox, "clerk@acme.test")
    provider.stop()
    page.goto(address)
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    assert find_faults(page) == []
    provider.start("third")
