"""What a person does again and again in front of an installation."""

import re
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import make_msgid

from conditions import SCRIPTS_RAN
from pillarbox import Inbox, Pillarbox, send, wait_until
from playwright.sync_api import Locator, Page


def open_new_inbox(page: Page, pillarbox: Pillarbox) -> Inbox:
    """As a visitor does: from the start page, by its button."""
    page.goto(pillarbox.url)
    page.get_by_role("button", name="New temporary inbox").click()
    page.wait_for_url(re.compile(r"/t/[\w-]{22}$"))
    address = re.search(r'data-copy="([^"@ ]+@[^" ]+)"', page.content())
    assert address
    wait_until(lambda: pillarbox.accepts(address[1]), "the new address is accepted", 10)
    return Inbox(page.url, address[1])


def wait_for_scripts(page: Page) -> None:
    """Before keys are pressed: a page is there, and read, before its scripts are."""
    page.locator(SCRIPTS_RAN).wait_for(state="attached")


def send_raw(pillarbox: Pillarbox, address: str, mails: list[bytes]) -> None:
    with pillarbox.connect() as client:
        client.ehlo("client.example.org")
        for mail in mails:
            assert send(client, address, mail)


@dataclass(frozen=True)
class Account:
    """Somebody who may sign in, and a mailbox of theirs."""

    tenant: str
    email: str
    address: str
    sign_in_url: str


def create_account(pillarbox: Pillarbox, name: str, plan: str = "developer") -> Account:
    """A tenant of its own with one domain, one mailbox and one user, by the command line."""
    address, email = f"box@{name}.test", f"person@{name}.test"
    pillarbox.run("tenant", "create", name, "--plan", plan)
    pillarbox.run("domain", "add", f"{name}.test", "--tenant", name)
    pillarbox.run("mailbox", "add", address, "--tenant", name)
    said = pillarbox.run("user", "add", email, "--tenant", name, "--role", "owner")
    wait_until(lambda: pillarbox.accepts(address), "the mailbox is known", 10)
    return Account(name, email, address, said.split()[-1])


def sign_in(page: Page, account: Account) -> None:
    """By the link that the operator was given."""
    page.goto(account.sign_in_url)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/inbox")


def sign_in_by_mail(page: Page, account: Account) -> None:
    """As everybody does: asks for a link, finds it in the outbox of this machine, uses it."""
    page.get_by_label("Your e-mail address").fill(account.email)
    page.get_by_role("button", name="Send me a link").click()
    page.get_by_role("link", name="the mail is in the outbox").click()
    page.locator("#main li", has_text=account.email).get_by_role("link").first.click()
    page.get_by_role("link", name="Open its link").click()
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/inbox")


def row(page: Page, subject: str) -> Locator:
    """The row of a list with this subject."""
    return page.locator("#rows .row").filter(has=page.locator(".subject", has_text=subject))


def write_mail(
    account: Account,
    subject: str,
    *,
    sender: str = "Ada Winter <ada@sender.test>",
    text: str = "Thanks to everybody who came.",
    html: str = "",
    file_name: str = "",
) -> bytes:
    message = EmailMessage(SMTP)
    message["From"] = sender
    message["To"] = account.address
    message["Subject"] = subject
    message["Message-ID"] = make_msgid(domain="sender.test")
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    if file_name:
        message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename=file_name)
    return message.as_bytes()
