"""Pictures of every page, wide and narrow, light and dark, into docs/screenshots."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from chromium_program import ARGUMENTS, PROGRAM
from dns_server import Zone, serving_dns_beside
from pillarbox import Inbox, Pillarbox, installation, send, wait_until
from playwright.sync_api import Browser, Page, StorageState, sync_playwright

FOLDER = Path(__file__).parents[2] / "docs/screenshots"
WIDTHS = {1280: 800, 390: 844}
MAILBOXES = ("support@harbour.test", "sales@harbour.test")

# Who, about what, in which words; the first is the newest.
MAILS = (
    ("Ada Winter", "Minutes of Monday's meeting", "Thanks to everybody who came. Three things"),
    ("Deliveries", "Your parcel is on its way", "It arrives on Tuesday between 10 and 12."),
    ("Jonas Berg", "Re: Lunch on Friday?", "Friday is fine. The usual place, half past twelve?"),
    ("City Library", "Two books are due next week", "You can keep both for another month."),
    ("Build", "main passed in 11 minutes", "412 checks passed, none failed."),
    ("Mina Okafor", "Photographs of the garden", "I have put the best of them in one file."),
    ("Harbour Energy", "Your bill for October", "64.20 will be taken from your account."),
    ("Tomás Ferreira", "Train times for the 14th", "The 8.12 has a change but is there first."),
    ("Dr Lindqvist", "Your appointment", "We look forward to seeing you on Thursday at 9.40."),
    ("Priya Raman", "Draft of chapter 4", "It is longer than I wanted, and still too short."),
    ("Bicycle workshop", "Your wheel is ready", "We trued it and replaced two spokes."),
    ("Security", "Sign-in from a new device", "If it was you, there is nothing to do."),
)
LABELS = {"Bills": ("Your bill for October",), "Travel": ("Train times", "Your parcel")}
STARRED = ("Draft of chapter 4", "Minutes of Monday's meeting")
READ = ("Two books", "main passed", "Your bill", "Your wheel", "Sign-in from", "Draft of")

ADMIN = {
    "/admin": "admin",
    "/admin/users": "admin-users",
    "/admin/users/new": "admin-invite",
    "/admin/mailboxes": "admin-mailboxes",
    "/admin/mailboxes/new": "admin-new-mailbox",
    "/admin/routes": "admin-routes",
    "/admin/routes/new": "admin-new-route",
    "/admin/keys": "admin-keys",
    "/admin/keys/new": "admin-new-key",
    "/admin/keys?q=nothing": "admin-not-found",
    "/admin/webhooks": "admin-webhooks",
    "/admin/webhooks/new": "admin-new-webhook",
    "/admin/quarantine": "admin-quarantine",
    "/admin/audit?check=true": "admin-audit",
    "/admin/settings": "admin-settings",
    "/admin/tenants": "admin-tenants",
    "/admin/jobs": "admin-jobs",
}
# Lists, and what their first thing is called.
ADMIN_THINGS = {
    "/admin/users?q=mina": "admin-user",
    "/admin/mailboxes": "admin-mailbox",
    "/admin/routes": "admin-route",
    "/admin/keys": "admin-key",
    "/admin/webhooks": "admin-webhook",
}
NO_ID = "00000000-0000-0000-0000-000000000000"
PEOPLE = (("mina.okafor", "admin"), ("jonas.berg", "agent"), ("priya.raman", "viewer"))
ROUTES = ("info", "jobs-*")
KEYS = ("Website", "Billing")
# What each is for. The first is told of what happened before, too.
WEBHOOKS = {
    "Billing": "https://hooks.harbour.test/billing",
    "Website": "https://hooks.harbour.test/website",
}


@dataclass(frozen=True)
class Scene:
    """What is pictured: an installation, its inboxes, and somebody who is signed in."""

    pillarbox: Pillarbox
    temporary: Inbox
    empty: Inbox
    signed_in: StorageState


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for picture in FOLDER.glob("*.png"):
        picture.unlink()
    with (
        serving_dns_beside(Zone()) as zone,
        installation(
            DNS_RESOLVERS="{}:{}".format(*zone.address), SMTP_HOSTNAME="mx.pillarbox.example"
        ) as pillarbox,
        sync_playwright() as playwright,
    ):
        pillarbox.start()
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=ARGUMENTS)
        scene = prepare(pillarbox, browser)
        set_up_domain(pillarbox, zone)
        for width, height in WIDTHS.items():
            for scheme in ("light", "dark"):
                take(browser, scene, width, height, scheme)
        browser.close()


def prepare(pillarbox: Pillarbox, browser: Browser) -> Scene:
    temporary, empty = pillarbox.create_inbox(), pillarbox.create_inbox()
    pillarbox.run("domain", "add", "harbour.test", "--tenant", "Pillarbox")
    for address in MAILBOXES:
        pillarbox.run("mailbox", "add", address, "--tenant", "Pillarbox")
    wait_until(lambda: all(map(pillarbox.accepts, MAILBOXES)), "the mailboxes are known")
    fill(pillarbox, [temporary.address], 6)
    fill(pillarbox, MAILBOXES, len(MAILS))
    be_refused(pillarbox)
    return Scene(pillarbox, temporary, empty, arrange(pillarbox, browser))


def set_up_domain(pillarbox: Pillarbox, zone: Zone) -> None:
    """One whose records are half there, beside the one that an operator vouches for."""
    pillarbox.run("domain", "add", "quay.example", "--tenant", "Pillarbox", "--verify")
    said = json.loads(pillarbox.run("domain", "records", "quay.example", "--json"))
    zone.add_text("_pillarbox.quay.example", said["records"][0]["value"])
    zone.add("quay.example", "MX", "10 mx.pillarbox.example.")
    zone.add_text("quay.example", "v=spf1 include:_spf.elsewhere.example -all")
    pillarbox.run("domain", "check", "quay.example")


def fill(pillarbox: Pillarbox, addresses: tuple[str, ...] | list[str], number: int) -> None:
    with pillarbox.connect() as client:
        client.ehlo("client.example.org")
        for index in reversed(range(number)):
            name, subject, text = MAILS[index]
            address = addresses[index % len(addresses)]
            message = EmailMessage()
            message["From"] = f"{name} <mail{index}@example.org>"
            message["To"] = address
            message["Subject"] = subject
            message["Message-ID"] = f"<{index}@example.org>"
            message.set_content(f"{text}\n\nBest wishes\n{name}\n")
            html = f"<p>{text}</p><p>Best wishes<br>{name}</p>"
            message.add_alternative(html, subtype="html")
            if "Photographs" in subject:
                message.add_attachment(
                    b"\0" * 240_000, maintype="application", subtype="zip", filename="garden.zip"
                )
            assert send(client, address, message.as_bytes().replace(b"\n", b"\r\n"))


def be_refused(pillarbox: Pillarbox) -> None:
    """What nobody here takes: unknown mailboxes, and a message whose lines end in another way."""
    with pillarbox.connect() as client:
        client.ehlo("mail.example.org")
        client.mail("jonas.berg@example.org")
        for name in ("suport", "office", "jobs"):
            assert client.rcpt(f"{name}@harbour.test")[0] == 550
        client.rset()
        client.mail("scanner@printers.example.net")
        client.rcpt(MAILBOXES[0])
        client.putcmd("data")
        client.getreply()
        client.send(b"Subject: Scan\n\nA page.\r\n.\r\n")
        assert client.getreply()[0] == 550


def arrange(pillarbox: Pillarbox, browser: Browser) -> StorageState:
    """Signs in by the link that was printed, and puts labels and stars on the mail."""
    link = re.search(r"http://\S+/sign-in/\S+", pillarbox.said)
    assert link
    context = browser.new_context()
    page = context.new_page()
    page.goto(link[0])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/inbox")
    wait_until(lambda: page.reload() and page.locator(".row").count() == len(MAILS), "mail came")
    for label, subjects in LABELS.items():
        select(page, *subjects)
        page.locator(".menu summary").click()
        page.locator(".menu [name=name]").fill(label)
        page.get_by_role("button", name="Put on").click()
        page.locator(".row .label", has_text=label).first.wait_for()
        page.reload()
    for subject in STARRED:
        page.locator(".row", has_text=subject).locator(".star").click()
        page.locator(".row", has_text=subject).locator("[name=unstar]").wait_for()
    select(page, *READ)
    page.get_by_role("button", name="Read", exact=True).click()
    wait_until(lambda: page.locator(".row.unread").count() == len(MAILS) - len(READ), "read")
    administer(page, pillarbox.url)
    state = context.storage_state()
    context.close()
    return state


def administer(page: Page, url: str) -> None:
    """Invites people, makes routes and keys, and takes the picture of a new key."""
    for name, role in PEOPLE:
        page.goto(f"{url}/admin/users/new")
        page.get_by_label("E-mail address").fill(f"{name}@harbour.test")
        page.locator(f"[name=role][value={role}]").check()
        page.get_by_role("button", name="Invite").click()
        page.get_by_role("link", name="Done").wait_for()
    for local_part in ROUTES:
        page.goto(f"{url}/admin/routes/new")
        page.get_by_label("Mail for").fill(local_part)
        for box in page.locator("[name=mailbox_ids]").all():
            box.check()
        page.get_by_role("button", name="Add the route").click()
        page.locator(".table").wait_for()
    for name in KEYS:
        page.goto(f"{url}/admin/keys/new")
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_role("button", name="Make the key").click()
        page.locator(".shown-once").wait_for()
    page.screenshot(path=FOLDER / "admin-key-made-1280-light.png")
    for name, address in WEBHOOKS.items():
        page.goto(f"{url}/admin/webhooks/new")
        page.get_by_label("Address").fill(address)
        page.get_by_label("What it is for").fill(name)
        page.get_by_text("Begin with older events").click()
        page.locator("[name=start][value=all]").check()
        page.get_by_role("button", name="Add the webhook").click()
        page.locator(".shown-once").wait_for()
    page.screenshot(path=FOLDER / "admin-webhook-made-1280-light.png")
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("button", name="Switch off").click()


def select(page: Page, *subjects: str) -> None:
    for subject in subjects:
        page.locator(".row", has_text=subject).locator("[name=ids]").check()


def take(browser: Browser, scene: Scene, width: int, height: int, scheme: str) -> None:
    for signed_in, show in ((None, show_to_visitors), (scene.signed_in, show_to_owners)):
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
            reduced_motion="reduce",
            has_touch=width < 600,
            storage_state=signed_in,
        )
        page = context.new_page()

        def picture(name: str, page: Page = page) -> None:
            page.screenshot(path=FOLDER / f"{name}-{width}-{scheme}.png")

        show(page, scene, picture)
        context.close()


def show_to_visitors(page: Page, scene: Scene, picture: Callable[[str], None]) -> None:
    page.goto(scene.pillarbox.url)
    picture("start")
    page.goto(scene.empty.url)
    live(page)
    picture("temporary-empty")
    page.goto(scene.temporary.url)
    live(page)
    picture("temporary")
    open_message(page, "Photographs")
    picture("temporary-message")
    page.goto(f"{scene.pillarbox.url}/sign-in")
    picture("sign-in")
    page.get_by_label("Your e-mail address").fill("ada@harbour.test")
    page.get_by_role("button", name="Send me a link").click()
    page.get_by_label("6 digits").wait_for()
    picture("sign-in-code")
    page.goto(f"{scene.pillarbox.url}/t/nothing")
    picture("not-found")
    page.goto(f"{scene.pillarbox.url}/api/v1/docs")
    picture("api")
    page.goto(f"{scene.pillarbox.url}/api/v1/docs#messages")
    picture("api-messages")


def show_to_owners(page: Page, scene: Scene, picture: Callable[[str], None]) -> None:
    url = scene.pillarbox.url
    page.goto(f"{url}/inbox")
    live(page)
    picture("inbox")
    select(page, "Re: Lunch", "Your appointment")
    picture("inbox-selected")
    page.reload()
    live(page)
    if page.get_by_role("button", name="Folders").is_visible():
        page.get_by_role("button", name="Folders").click()
        picture("inbox-folders")
        page.keyboard.press("Escape")
    page.keyboard.press("?")
    picture("keys")
    page.keyboard.press("Escape")
    open_message(page, "Photographs")
    picture("message")
    page.goto(f"{page.url}?view=headers")
    picture("message-headers")
    page.go_back()
    page.get_by_role("link", name="How it came here").click()
    page.get_by_role("heading", level=1).wait_for()
    picture("trace")
    page.goto(f"{url}/inbox?folder=archive")
    live(page)
    picture("inbox-empty")
    page.goto(f"{url}/search")
    picture("search")
    page.get_by_role("combobox").press_sequentially("from:")
    page.get_by_role("option").first.wait_for()
    picture("search-suggestions")
    page.goto(f"{url}/search?q=your")
    picture("search-results")
    page.goto(f"{url}/refusals")
    page.locator(".sessions li").nth(3).wait_for()
    picture("refusals")
    page.get_by_role("link", name="How far it came").first.click()
    page.get_by_role("heading", level=1).wait_for()
    picture("trace-refused")
    page.goto(f"{url}/refusals?q=ada")
    picture("refusals-none")
    page.goto(f"{url}/events")
    live(page)
    picture("events")
    page.locator(".chart summary").click()
    picture("events-table")
    page.goto(f"{url}/events?q={NO_ID}")
    picture("events-none")
    page.goto(f"{url}/settings")
    picture("account")
    page.goto(f"{url}/settings/sessions")
    picture("sessions")
    for path, name in ADMIN.items():
        page.goto(f"{url}{path}")
        picture(name)
    for path, name in ADMIN_THINGS.items():
        page.goto(f"{url}{path}")
        page.goto(f"{url}{page.locator('.table th a').first.get_attribute('href')}")
        picture(name)
        page.get_by_role("link", name=re.compile("Remove|Revoke")).click()
        page.locator(".pane .form").wait_for()
        picture(f"{name}-remove")
    page.goto(f"{url}/admin/webhooks")
    page.locator(".table th a").first.click()
    page.locator("a[href*='/deliveries/']").first.click()
    page.get_by_role("heading", name="What is sent").wait_for()
    picture("admin-webhook-delivery")
    page.goto(f"{url}/admin/domains")
    picture("admin-domains")
    page.get_by_role("link", name="quay.example").click()
    page.get_by_role("heading", name="DNS records").wait_for()
    picture("admin-domain")
    page.goto(f"{url}/admin/settings/sign-in")
    picture("sign-in-settings")
    page.goto(f"{url}/design")
    picture("design")


def live(page: Page) -> None:
    page.locator("#live[data-state=on]").wait_for()


def open_message(page: Page, subject: str) -> None:
    page.locator(".row > a", has_text=subject).click()
    page.locator(".message h1", has_text=subject).wait_for()
    page.frame_locator("iframe").locator("p").first.wait_for()


if __name__ == "__main__":
    main()
