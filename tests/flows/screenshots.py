"""Pictures of every page, wide and narrow, light and dark, into docs/screenshots."""

import re
from email.message import EmailMessage
from pathlib import Path

from pillarbox import Inbox, Pillarbox, installation, send, wait_until
from playwright.sync_api import Browser, sync_playwright

FOLDER = Path(__file__).parents[2] / "docs/screenshots"
WIDTHS = {1280: 800, 390: 844}

MAILS = (
    ("Ada Winter", "Minutes of Monday's meeting", "Thanks to everybody who came. Three things"),
    ("Deliveries", "Your parcel is on its way", "It arrives on Tuesday between 10 and 12."),
    ("Jonas Berg", "Re: Lunch on Friday?", "Friday is fine. The usual place, half past twelve?"),
    ("City Library", "Two books are due next week", "You can keep both for another month."),
    ("Build", "main passed in 11 minutes", "412 checks passed, none failed."),
    ("Mina Okafor", "Photographs of the garden", "I have put the best of them in one file."),
)


def main() -> None:
    with installation() as pillarbox, sync_playwright() as playwright:
        pillarbox.start()
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        inbox, empty = pillarbox.create_inbox(), pillarbox.create_inbox()
        fill(pillarbox, inbox)
        for width, height in WIDTHS.items():
            for scheme in ("light", "dark"):
                take(browser, pillarbox, inbox, empty, width, height, scheme)
        browser.close()


def fill(pillarbox: Pillarbox, inbox: Inbox) -> None:
    with pillarbox.connect() as client:
        client.ehlo("client.example.org")
        for number, (name, subject, text) in enumerate(reversed(MAILS)):
            message = EmailMessage()
            message["From"] = f"{name} <mail{number}@example.org>"
            message["To"] = inbox.address
            message["Subject"] = subject
            message["Message-ID"] = f"<{number}@example.org>"
            message.set_content(f"{text}\n\nBest wishes\n{name}\n")
            message.add_alternative(f"<p>{text}</p><p>Best wishes<br>{name}</p>", subtype="html")
            if "Photographs" in subject:
                message.add_attachment(
                    b"\0" * 240_000, maintype="application", subtype="zip", filename="garden.zip"
                )
            assert send(client, inbox.address, message.as_bytes().replace(b"\n", b"\r\n"))


def take(
    browser: Browser,
    pillarbox: Pillarbox,
    inbox: Inbox,
    empty: Inbox,
    width: int,
    height: int,
    scheme: str,
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page = context.new_page()

    def picture(name: str) -> None:
        page.screenshot(path=FOLDER / f"{name}-{width}-{scheme}.png")

    page.goto(pillarbox.url)
    picture("start")
    page.goto(empty.url)
    picture("temporary-empty")
    wait_until(lambda: page.goto(inbox.url) and page.locator(".row").count() == 6, "mail is there")
    page.get_by_text("Live", exact=True).wait_for()
    picture("temporary")
    page.locator(".row a", has_text="Photographs").click()
    page.wait_for_load_state()
    picture("message")
    page.goto(f"{page.url}?view=headers")
    picture("message-headers")
    page.goto(f"{pillarbox.url}/t/nothing")
    picture("not-found")
    link = re.search(r"sign_in_url\": \"([^\"]+)", sign_in(pillarbox))
    assert link
    page.goto(link[1])
    picture("sign-in")
    page.get_by_role("button", name="Sign in").click()
    picture("inbox-empty")
    context.close()


def sign_in(pillarbox: Pillarbox) -> str:
    return pillarbox.run(
        *("user", "add", "admin@pillarbox.test", "--tenant", "Pillarbox", "--role", "owner"),
        "--json",
    )


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    main()
