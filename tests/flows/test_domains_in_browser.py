"""A domain in a browser, from its name to its first mail: by keyboard alone, and without
JavaScript."""

import re
from collections.abc import Iterator

import pytest
from browser import create_account, sign_in
from dns_server import Zone, serving_dns_beside
from keyboard import type_at_once, use
from pillarbox import Pillarbox, installation, wait_until
from playwright.sync_api import Browser, Locator, Page, expect

pytest_plugins = ["chromium"]
pytestmark = [pytest.mark.browser, pytest.mark.flow]
expect.set_options(timeout=20_000)

MX_HOST = "mx.pillarbox.example"


@pytest.fixture(scope="module")
def zone() -> Iterator[Zone]:
    with serving_dns_beside(Zone()) as zone:
        yield zone


@pytest.fixture(scope="module")
def pillarbox(zone: Zone) -> Iterator[Pillarbox]:
    host, port = zone.address
    with installation(DNS_RESOLVERS=f"{host}:{port}", SMTP_HOSTNAME=MX_HOST) as pillarbox:
        yield pillarbox.start()


def record(page: Page, title: str) -> Locator:
    heading = page.get_by_role("heading", name=title, exact=True)
    return page.locator(".records li").filter(has=heading)


def rcpt(pillarbox: Pillarbox, address: str) -> int:
    with pillarbox.connect() as client:
        client.ehlo("client.example.org")
        client.mail("sender@example.org")
        return client.rcpt(address)[0]


def publish(zone: Zone, page: Page, name: str) -> None:
    """What the page says is needed, as it says it."""
    token = record(page, "Ownership").locator("code", has_text="pillarbox-verification=")
    zone.add_text(f"_pillarbox.{name}", token.inner_text())
    value = record(page, "Mail comes here").locator("code", has_text=MX_HOST)
    zone.add(name, "MX", value.inner_text())


def test_domain_is_added_and_verified_by_keyboard_alone(
    pillarbox: Pillarbox, zone: Zone, page: Page
) -> None:
    account, name = create_account(pillarbox, "keys"), "keys.example"
    sign_in(page, account)
    page.goto(f"{pillarbox.url}/admin/domains")
    use(page, page.get_by_role("link", name="Add a domain"))
    page.wait_for_url("**/new")
    type_at_once(page, name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.get_by_text("Not verified yet")).to_be_visible()
    publish(zone, page, name)
    use(page, page.get_by_role("button", name="Check now"))
    expect(page.get_by_text("Receives mail")).to_be_visible()
    expect(record(page, "Ownership").get_by_text("Found")).to_be_visible()
    expect(record(page, "DMARC").get_by_text("Missing")).to_be_visible()

    address = f"info@{name}"
    pillarbox.run("mailbox", "add", address, "--tenant", "keys")
    wait_until(lambda: rcpt(pillarbox, address) == 250, "mail is taken", 10)
    zone.remove(name, "MX")
    use(page, page.get_by_role("button", name="Check now"))
    expect(page.get_by_text("MX record lost", exact=True)).to_be_visible()
    wait_until(lambda: rcpt(pillarbox, address) == 451, "mail is deferred", 10)
    zone.remove(f"_pillarbox.{name}", "TXT")
    assert "suspended" in pillarbox.run("domain", "check", name)
    wait_until(lambda: rcpt(pillarbox, address) == 550, "mail is refused", 10)


def test_domain_is_added_changed_and_removed_without_javascript(
    pillarbox: Pillarbox, zone: Zone, chromium: Browser
) -> None:
    account, name = create_account(pillarbox, "plain"), "plain.example"
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        sign_in(page, account)
        page.goto(f"{pillarbox.url}/admin/domains/new")
        page.get_by_label("Domain").fill(name)
        page.get_by_role("button", name="Add the domain").click()
        page.wait_for_url(re.compile(r"/admin/domains/[0-9a-f-]{36}$"))
        publish(zone, page, name)
        page.get_by_role("button", name="Check now").click()
        expect(page.get_by_text("Receives mail")).to_be_visible()
        page.get_by_label("Refuse it after the whole message").check()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_label("Refuse it after the whole message")).to_be_checked()
        page.get_by_role("link", name="Remove this domain").click()
        page.get_by_role("button", name="Remove it").click()
        page.wait_for_url("**/admin/domains")
        expect(page.get_by_text(name)).to_have_count(0)
