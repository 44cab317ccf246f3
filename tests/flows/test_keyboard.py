"""What a person does in Pillarbox by keyboard alone, beside the inbox and the domains, which have
files of their own; and what axe says of the pages that visitors see."""

import asyncio
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import httpx
import pytest
from accessibility import find_faults
from browser import Account, create_account, open_new_inbox, sign_in, wait_for_scripts
from keyboard import choose, tick, type_at_once, use, write
from pillarbox import Inbox, Pillarbox, compose, installation, send, wait_until
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

pytest_plugins = ["chromium"]
pytestmark = [pytest.mark.browser, pytest.mark.flow]
expect.set_options(timeout=20_000)

PER_HOUR = 2


@pytest.fixture(scope="module")
def pillarbox() -> Iterator[Pillarbox]:
    limits = {"TEMPORARY_MESSAGES_PER_HOUR": str(PER_HOUR), "TEMPORARY_MAX_MESSAGES": "100"}
    with installation(SIGN_IN_REQUESTS_PER_HOUR="1000", **limits) as pillarbox:
        yield pillarbox.start()


@pytest.fixture(scope="module")
def owner(pillarbox: Pillarbox) -> Account:
    return create_account(pillarbox, "quay", "enterprise")


@pytest.fixture(scope="module")
def signed_in(pillarbox: Pillarbox, chromium: Browser, owner: Account) -> Iterator[BrowserContext]:
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    sign_in(page, owner)
    yield context
    context.close()


@pytest.fixture
def page(signed_in: BrowserContext) -> Iterator[Page]:
    """In front of the owner."""
    page = signed_in.new_page()
    yield page
    page.close()


def link(page: Page, name: str) -> Locator:
    return page.get_by_role("link", name=name, exact=True)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def heading(page: Page, name: str) -> Locator:
    return page.get_by_role("heading", name=name)


def open_section(page: Page, pillarbox: Pillarbox, name: str) -> None:
    """From the inbox, as one finds it."""
    page.goto(f"{pillarbox.url}/inbox")
    use(page, link(page, "Admin"))
    page.wait_for_url("**/admin")
    use(page, page.locator("#sections").get_by_role("link", name=name, exact=True))
    expect(page.locator("#sections [aria-current=page]")).to_have_text(name)


def role(page: Page, name: str) -> Locator:
    return page.locator(f"[name=role][value={name}]")


def test_webhook_is_added_tried_out_and_removed(pillarbox: Pillarbox, page: Page) -> None:
    open_section(page, pillarbox, "Webhooks")
    page.goto(f"{pillarbox.url}/admin/webhooks/new")
    wait_for_scripts(page)
    type_at_once(page, "http://127.0.0.1:8080/hooks")
    use(page, page.get_by_text("Only some events"))
    tick(page, page.get_by_label("Mail arrived"))
    page.keyboard.press("Enter")
    expect(page.locator(".shown-once code").first).to_have_text(re.compile("^whsec_"))
    use(page, link(page, "I have copied it"))
    expect(page.locator(".details")).to_contain_text("Mail arrived")
    use(page, button(page, "Send a test"))
    # No address of this machine may be called, and the page says so by itself once it was tried.
    expect(page.locator(".records")).to_contain_text("network")
    expect(page.locator(".tag", has_text="Failed")).to_be_visible()
    page.go_back()
    use(page, link(page, "Remove"))
    use(page, button(page, "Remove the webhook"))
    expect(heading(page, "No webhooks yet.")).to_be_visible()


def test_people_are_invited_changed_and_removed(pillarbox: Pillarbox, page: Page) -> None:
    email = "mina@quay.test"
    open_section(page, pillarbox, "Users")
    use(page, link(page, "Invite someone"))
    page.wait_for_url("**/users/new")
    type_at_once(page, email)
    choose(page, page.locator("[name=role]"), role(page, "admin"))
    use(page, button(page, "Invite"))
    expect(heading(page, f"{email} may sign in now")).to_be_visible()
    use(page, link(page, "Done"))
    use(page, page.locator(".table th a", has_text=email))
    expect(role(page, "admin")).to_be_checked()
    choose(page, page.locator("[name=role]"), role(page, "viewer"))
    use(page, button(page, "Save"))
    expect(page.locator(".toast", has_text="The role is saved.")).to_be_visible()
    use(page, page.locator(".table th a", has_text=email))
    expect(role(page, "viewer")).to_be_checked()
    use(page, link(page, "Remove"))
    use(page, button(page, "Remove them"))
    expect(page.locator(".toast", has_text="They may sign in here no more.")).to_be_visible()
    expect(page.locator(".table th a", has_text=email)).to_have_count(0)

    use(page, link(page, "Audit log"))
    write(page, page.get_by_label("Who"), "person@quay.test")
    write(page, page.get_by_label("What"), "Users")
    write(page, page.get_by_label("When"), "In the last 24 hours")
    use(page, button(page, "Search"))
    expect(page.locator(".table tbody tr")).to_have_count(2)
    use(page, link(page, "Check that nothing is missing"))
    expect(page.locator(".verified")).to_be_visible()


def test_key_is_made_copied_rotated_and_revoked(pillarbox: Pillarbox, page: Page) -> None:
    open_section(page, pillarbox, "API keys")
    use(page, link(page, "Make a key").first)
    page.wait_for_url("**/keys/new")
    type_at_once(page, "Billing")
    tick(page, page.locator("[name=scopes]:checked").last)
    use(page, button(page, "Make the key"))
    first = copy_key(page)
    assert is_known(pillarbox, first)
    use(page, page.locator(".table th a", has_text="Billing"))
    use(page, link(page, "Rotate"))
    choose(page, page.locator("[name=overlap]"), page.locator("[name=overlap]").nth(1))
    use(page, button(page, "Make the new key"))
    second = copy_key(page)
    assert is_known(pillarbox, second)
    use(page, page.locator(".table tr", has_text=second[:8]).get_by_role("link"))
    use(page, link(page, "Revoke"))
    use(page, button(page, "Revoke the key"))
    expect(page.locator(".toast", has_text="works no more")).to_be_visible()
    assert is_known(pillarbox, first)
    assert not is_known(pillarbox, second)


def copy_key(page: Page) -> str:
    expect(page.locator(".shown-once")).to_be_visible()
    wait_for_scripts(page)
    use(page, button(page, "Copy"))
    expect(page.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    key: str = page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(r"[0-9a-f]{64}", key)
    use(page, link(page, "I have copied it"))
    return key


def is_known(pillarbox: Pillarbox, key: str) -> bool:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.get(f"{pillarbox.url}/api/v1/messages", headers=headers).status_code == 200


def test_route_is_added_changed_and_removed(
    pillarbox: Pillarbox, page: Page, owner: Account
) -> None:
    pillarbox.run("mailbox", "add", "second@quay.test", "--tenant", owner.tenant)
    open_section(page, pillarbox, "Routes")
    use(page, link(page, "Add a route").first)
    write(page, page.get_by_label("Mail for"), "sales")
    tick(page, page.get_by_label(owner.address))
    use(page, button(page, "Add the route"))
    use(page, page.locator(".table th a", has_text="sales@quay.test"))
    tick(page, page.get_by_label("second@quay.test"))
    use(page, button(page, "Save"))
    use(page, page.locator(".table th a", has_text="sales@quay.test"))
    expect(page.get_by_label("second@quay.test")).to_be_checked()
    use(page, link(page, "Remove"))
    use(page, page.locator(".pane .form button"))
    expect(page.locator(".table th a", has_text="sales@quay.test")).to_have_count(0)


def test_mailbox_is_removed(pillarbox: Pillarbox, page: Page, owner: Account) -> None:
    address = "old@quay.test"
    pillarbox.run("mailbox", "add", address, "--tenant", owner.tenant)
    page.goto(f"{pillarbox.url}/admin/mailboxes?q=old")
    wait_for_scripts(page)
    page.keyboard.press("j")
    page.keyboard.press("o")
    expect(heading(page, address)).to_be_visible()
    use(page, link(page, "Remove"))
    use(page, button(page, "Remove it and its mail"))
    expect(page.locator(".table th a", has_text=address)).to_have_count(0)
    wait_until(lambda: not pillarbox.accepts(address), "the mailbox receives no more", 10)


def test_networks_are_listed_and_lock_nobody_out_unasked(
    pillarbox: Pillarbox, page: Page, owner: Account
) -> None:
    save = page.locator("form[action$='/networks'] button")
    open_section(page, pillarbox, "Organisation")
    use(page, link(page, "Choose how people sign in"))
    write(page, page.get_by_label("Addresses and networks"), "192.0.2.0/24")
    use(page, save)
    expect(heading(page, "Lock yourself out?")).to_be_visible()
    assert find_faults(page) == []
    use(page, link(page, "Keep it as it is"))
    expect(page.get_by_label("Addresses and networks")).to_have_value("")
    write(page, page.get_by_label("Addresses and networks"), "127.0.0.0/8")
    use(page, save)
    expect(page.get_by_label("Addresses and networks")).to_have_value("127.0.0.0/8")
    write(page, page.get_by_label("Addresses and networks"), "192.0.2.0/24")
    use(page, save)
    use(page, button(page, "Save it, and lock me out here"))
    page.wait_for_url("**/inbox")
    use(page, link(page, "Admin"))
    expect(page.get_by_text("only from the networks that an owner listed")).to_be_visible()
    assert find_faults(page) == []
    use(page, link(page, "Go to the inbox"))
    expect(heading(page, "Inbox")).to_be_visible()
    pillarbox.run("tenant", "allow-from", owner.tenant, "--clear")
    page.goto(f"{pillarbox.url}/admin/settings/sign-in")
    use(page, page.get_by_label("A link works only in the same kind of browser"))
    expect(heading(page, "Sign-in")).to_be_visible()


def test_code_signs_in_here_and_other_browsers_are_signed_out(
    pillarbox: Pillarbox, chromium: Browser, page: Page, owner: Account
) -> None:
    other = chromium.new_context()
    elsewhere = other.new_page()
    elsewhere.goto(f"{pillarbox.url}/inbox")
    type_at_once(elsewhere, owner.email)
    elsewhere.keyboard.press("Enter")
    expect(heading(elsewhere, "Look into your mail")).to_be_visible()
    page.goto(f"{pillarbox.url}/outbox")
    use(page, page.locator("#main li", has_text=owner.email).get_by_role("link").first)
    code = re.search(r"\b\d{3} ?\d{3}\b", page.locator("#main").inner_text())
    assert code
    type_at_once(elsewhere, code[0])
    elsewhere.keyboard.press("Enter")
    elsewhere.wait_for_url("**/inbox")

    page.goto(f"{pillarbox.url}/inbox")
    use(page, link(page, "Settings"))
    use(page, link(page, "Your sign-ins"))
    expect(page.locator(".sessions li")).to_have_count(2)
    assert find_faults(page) == []
    use(page, button(page, "Sign out everywhere else"))
    expect(page.get_by_text("You are signed in nowhere else.")).to_be_visible()
    elsewhere.reload()
    expect(heading(elsewhere, "Sign in to Pillarbox")).to_be_visible()
    other.close()


def test_person_in_two_organisations_goes_from_one_to_the_other(
    pillarbox: Pillarbox, chromium: Browser, owner: Account
) -> None:
    email = "both@quay.test"
    pillarbox.run("user", "add", email, "--tenant", "Pillarbox", "--role", "admin")
    said = pillarbox.run("user", "add", email, "--tenant", owner.tenant, "--role", "viewer")
    context = chromium.new_context()
    page = context.new_page()
    sign_in(page, Account(owner.tenant, email, "", said.split()[-1]))
    for place, other in (("Pillarbox", owner.tenant), (owner.tenant, "Pillarbox")):
        use(page, link(page, "Settings"))
        here = page.locator(".sessions li", has_text="You are here")
        if place not in here.inner_text():
            place, other = other, place
        use(page, button(page, f"Go there to {other}"))
        expect(page.locator("#folders a").first).to_contain_text(other)
        is_admin = other == "Pillarbox"
        expect(link(page, "Admin")).to_have_count(int(is_admin))
    assert find_faults(page) == []
    page.goto(f"{pillarbox.url}/settings")
    assert find_faults(page) == []
    context.close()


def test_temporary_inbox_is_made_extended_and_deleted(pillarbox: Pillarbox, page: Page) -> None:
    page.goto(pillarbox.url)
    use(page, button(page, "New temporary inbox"))
    page.wait_for_url(re.compile(r"/t/[\w-]{22}$"))
    address = page.url
    with page.expect_response("**/extend") as extended:
        use(page, button(page, "Extend"))
    assert extended.value.status == 303
    use(page, page.locator("details.confirm summary"))
    use(page, button(page, "Delete for good"))
    page.wait_for_url(lambda url: url != address)
    answer = page.goto(address)
    assert answer
    assert answer.status == 404


def test_axe_finds_nothing_on_what_visitors_see(
    pillarbox: Pillarbox, chromium: Browser, owner: Account
) -> None:
    context = chromium.new_context()
    page = context.new_page()
    found = {}
    said = pillarbox.run(
        *("user", "add", "visitor@quay.test", "--tenant", owner.tenant, "--role", "viewer")
    )

    def look(name: str) -> None:
        found[name] = find_faults(page)

    pages = {
        "/": 200,
        "/sign-in": 200,
        "/sign-in/code": 200,
        f"/sign-in/{'x' * 22}": 404,
        said.split()[-1].removeprefix(pillarbox.url): 200,
        "/sign-in/sso?state=x&code=y": 403,
        "/signed-out": 200,
        "/outbox": 200,
        "/api/v1/docs": 200,
        "/t/nothing": 404,
    }
    for path, status in pages.items():
        answer = page.goto(f"{pillarbox.url}{path}")
        assert answer
        assert answer.status == status, path
        look(path)
    page.goto(f"{pillarbox.url}/sign-in")
    page.get_by_label("Your e-mail address").fill("nobody@quay.test")
    button(page, "Send me a link").click()
    look("asked")
    page.get_by_label("6 digits").fill("000000")
    button(page, "Sign in").click()
    look("wrong code")
    inbox = open_new_inbox(page, pillarbox)
    look("empty inbox")
    fill(pillarbox, inbox)
    page.reload()
    expect(page.get_by_text("Too much mail came within an hour.")).to_be_visible()
    look("busy inbox")
    fill_up(pillarbox)
    page.reload()
    expect(page.get_by_text("This inbox is full.")).to_be_visible()
    look("full inbox")
    context.close()
    assert {name: faults for name, faults in found.items() if faults} == {}


def fill(pillarbox: Pillarbox, inbox: Inbox) -> None:
    with pillarbox.connect() as client:
        client.ehlo("client.example.org")
        for number in range(PER_HOUR + 1):
            assert send(client, inbox.address, compose(inbox.address, number))
    wait_until(lambda: "1 mail was not kept" in httpx.get(inbox.url).text, "the limit is told", 20)


def fill_up(pillarbox: Pillarbox) -> None:
    """As if every inbox had as many messages as it may have."""

    async def write_usage() -> None:
        run = json.loads((pillarbox.data / "run.json").read_text())
        connection = await asyncpg.connect(run["database_url"])
        await connection.execute("update inbox_usage set message_count = 100")
        await connection.close()

    with ThreadPoolExecutor() as another_thread:
        another_thread.submit(asyncio.run, write_usage()).result()
