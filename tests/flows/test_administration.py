"""The pages of an administrator: what axe says of them, and the ways through them on a phone and
without JavaScript. By keyboard alone: `test_keyboard.py`."""

import re
from collections.abc import Iterator

import pytest
from accessibility import find_faults
from browser import Account, create_account, row, send_raw, sign_in, write_mail
from pillarbox import Pillarbox, wait_until
from playwright.sync_api import Browser, Page, StorageState, expect

pytest_plugins = ["chromium"]
pytestmark = [pytest.mark.browser, pytest.mark.flow]
expect.set_options(timeout=20_000)

PAGES = (
    *("/admin", "/admin/users", "/admin/users/new", "/admin/mailboxes", "/admin/mailboxes/new"),
    *("/admin/webhooks", "/admin/webhooks/new"),
    *("/admin/routes", "/admin/routes/new", "/admin/keys", "/admin/keys/new", "/admin/quarantine"),
    *("/admin/audit?check=true", "/admin/audit?q=nobody", "/admin/settings", "/admin/tenants"),
    *("/admin/tenants/new", "/admin/jobs", "/settings", "/settings/sessions", "/design"),
    *("/events", "/events?what=mail&since=day", "/refusals", "/outbox"),
)
# Of the first of each list: the thing itself, and the question before it is gone.
LISTS = {
    "/admin/users": ("", "/remove"),
    "/admin/mailboxes": ("", "/remove"),
    "/admin/routes": ("", "/remove"),
    "/admin/keys": ("", "/rotate", "/revoke"),
    "/admin/webhooks": ("", "/change", "/rotate", "/replay", "/remove"),
    "/admin/tenants": ("",),
}


@pytest.fixture(scope="module")
def operator(pillarbox: Pillarbox, chromium: Browser) -> StorageState:
    """The first owner, signed in by the link that was printed, with one of each thing."""
    link = re.search(r"http://\S+/sign-in/\S+", pillarbox.said)
    assert link
    context = chromium.new_context()
    page = context.new_page()
    page.goto(link[0])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/inbox")
    pillarbox.run("domain", "add", "harbour.test", "--tenant", "Pillarbox")
    pillarbox.run("mailbox", "add", "desk@harbour.test", "--tenant", "Pillarbox")
    add_route(page, pillarbox, "office")
    make_key(page, pillarbox, "Billing")
    add_webhook(page, pillarbox, "https://hooks.harbour.test/in")
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("heading", name="Tries")).to_be_visible()
    state = context.storage_state()
    context.close()
    return state


def add_route(page: Page, pillarbox: Pillarbox, local_part: str) -> None:
    page.goto(f"{pillarbox.url}/admin/routes/new")
    page.get_by_label("Mail for").fill(local_part)
    for box in page.locator("[name=mailbox_ids]").all():
        box.check()
    page.get_by_role("button", name="Add the route").click()
    expect(page.locator(".table th", has_text=local_part)).to_be_visible()


def make_key(page: Page, pillarbox: Pillarbox, name: str) -> str:
    page.goto(f"{pillarbox.url}/admin/keys/new")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Make the key").click()
    key = page.locator(".shown-once code").first.inner_text()
    assert re.fullmatch(r"[0-9a-f]{64}", key)
    return key


def add_webhook(page: Page, pillarbox: Pillarbox, url: str) -> str:
    """Its secret."""
    page.goto(f"{pillarbox.url}/admin/webhooks/new")
    page.get_by_label("Address").fill(url)
    page.get_by_role("button", name="Add the webhook").click()
    secret = page.locator(".shown-once code").first.inner_text()
    assert secret.startswith("whsec_")
    return secret


@pytest.fixture
def owner(pillarbox: Pillarbox, page: Page, request: pytest.FixtureRequest) -> Account:
    """The owner of a tenant with one mailbox, in front of `page`."""
    account = create_account(pillarbox, re.sub(r"\W|_", "-", request.node.name)[5:40].strip("-"))
    sign_in(page, account)
    return account


@pytest.fixture
def silent_page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_axe_finds_nothing(pillarbox: Pillarbox, chromium: Browser, operator: StorageState) -> None:
    context = chromium.new_context(storage_state=operator)
    page = context.new_page()
    paths = list(PAGES)
    for path, endings in LISTS.items():
        page.goto(f"{pillarbox.url}{path}")
        link = page.locator(".table th a").first.get_attribute("href")
        paths += [f"{link}{ending}" for ending in endings]
    page.goto(f"{pillarbox.url}/admin/webhooks")
    page.locator(".table th a").first.click()
    paths.append(page.locator("a[href*='/deliveries/']").first.get_attribute("href") or "")
    page.goto(f"{pillarbox.url}/events")
    paths.append(page.locator("a[href^='/trace/']").first.get_attribute("href") or "")
    found = {}
    for path in paths:
        answer = page.goto(f"{pillarbox.url}{path}")
        assert answer
        assert answer.status == 200, path
        found[path] = find_faults(page)
    context.close()
    assert {path: faults for path, faults in found.items() if faults} == {}


def test_mail_for_a_route_reaches_every_mailbox(
    pillarbox: Pillarbox, page: Page, owner: Account
) -> None:
    domain = owner.address.partition("@")[2]
    page.goto(f"{pillarbox.url}/admin/mailboxes/new")
    page.get_by_label("Address").fill("second")
    page.get_by_role("button", name="Add the mailbox").click()
    expect(page.locator(".table th", has_text="second")).to_be_visible()
    assert not pillarbox.accepts(f"sales-eu@{domain}")
    add_route(page, pillarbox, "sales-*")
    wait_until(lambda: pillarbox.accepts(f"sales-eu@{domain}"), "the route is accepted", 10)
    assert not pillarbox.accepts(f"sales@{domain}")
    send_raw(pillarbox, f"sales-eu+spring@{domain}", [write_mail(owner, "An offer")])
    page.goto(f"{pillarbox.url}/inbox")
    expect(row(page, "An offer")).to_have_count(2)
    for name in ("box", "second"):
        expect(
            page.locator(".row", has_text="An offer").filter(has_text=f"{name}@")
        ).to_be_visible()


def test_first_steps_need_no_script(pillarbox: Pillarbox, silent_page: Page) -> None:
    page = silent_page
    account = create_account(pillarbox, "no-script-admin")
    sign_in(page, account)
    page.get_by_role("link", name="Admin").click()
    page.get_by_role("link", name="Invite someone").click()
    page.get_by_label("E-mail address").fill("ben@no-script-admin.test")
    page.locator("[name=role][value=admin]").check()
    page.get_by_role("button", name="Invite").click()
    expect(
        page.get_by_role("heading", name="ben@no-script-admin.test may sign in now")
    ).to_be_visible()
    page.goto(f"{pillarbox.url}/admin")
    page.get_by_role("link", name="Make a key").click()
    page.get_by_label("Name", exact=True).fill("Website")
    page.get_by_role("button", name="Make the key").click()
    expect(page.locator(".shown-once code").first).to_have_text(re.compile(r"[0-9a-f]{64}"))
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("link", name="Website").click()
    page.get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.locator(".toast", has_text="works no more")).to_be_visible()
    page.goto(f"{pillarbox.url}/admin/audit")
    newest = page.locator(".table tbody tr")
    expect(newest.nth(0)).to_contain_text("Revoked an API key")
    expect(newest.nth(2)).to_contain_text("ben@no-script-admin.test")


def test_sections_are_a_drawer_on_a_phone(
    pillarbox: Pillarbox, chromium: Browser, operator: StorageState
) -> None:
    context = chromium.new_context(
        storage_state=operator, viewport={"width": 390, "height": 800}, java_script_enabled=False
    )
    page = context.new_page()
    page.goto(f"{pillarbox.url}/admin/keys")
    expect(page.get_by_role("link", name="Audit log")).to_be_hidden()
    page.get_by_role("button", name="Sections").click()
    page.get_by_role("link", name="Audit log").click()
    expect(page.get_by_role("heading", name="Audit log")).to_be_visible()
    context.close()
