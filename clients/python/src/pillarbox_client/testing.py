"""Mail in tests: a fixture of pytest that gives each test a mailbox of its own.

In `conftest.py`:

    pytest_plugins = ["pillarbox_client.testing"]

Then a test waits for the mail that it causes:

    def test_sign_up(mail: MailboxForTest) -> None:
        sign_up(mail.address)
        message = mail.wait(match="subject:welcome")
        confirm(message.codes[0])

It finds Pillarbox by `PILLARBOX_URL`, `PILLARBOX_API_KEY` (with the scopes `mailboxes:write`,
`messages:read` and `messages:write`) and `PILLARBOX_DOMAIN`, a domain of the key's tenant.
"""

import os
import secrets
import time
from collections.abc import Iterator
from itertools import islice

import pytest

from pillarbox_client import Attachment, AwaitedMessage, Mailbox, Pillarbox

__all__ = ["MailboxForTest", "mail", "pillarbox", "supply"]
_SHOWN_MESSAGES = 10
# Ten times what the SMTP server usually takes to learn of a new address.
_LEARNING_SECONDS = 1.0


class MailboxForTest:
    """A mailbox that one test has for itself."""

    def __init__(self, pillarbox: Pillarbox, mailbox: Mailbox) -> None:
        self.pillarbox = pillarbox
        self.mailbox = mailbox

    @property
    def address(self) -> str:
        return self.mailbox.address

    def wait(self, match: str = "", *, timeout_seconds: float = 30) -> AwaitedMessage:
        """The newest message that matches, or else the first to arrive. Each message is given
        once: it is marked as read, and the next call waits for another.

        `match` is as in the search box, such as `subject:code from:shop.example`. The test fails
        when nothing came in time, and says what did come.
        """
        __tracebackhide__ = True
        message = self.pillarbox.wait_for_message(
            mailbox=self.address,
            match=f"{match} is:unread".strip(),
            timeout_seconds=timeout_seconds,
        )
        if message is None:
            pytest.fail(self._explain(match, timeout_seconds))
        self.pillarbox.messages.change(message.id, is_read=True)
        return message

    def attachment(self, message: AwaitedMessage, attachment: Attachment) -> bytes:
        """The bytes of an attachment."""
        return self.pillarbox.messages.attachment(message.id, attachment.id)

    def _explain(self, match: str, timeout_seconds: float) -> str:
        wanted = f"that matches {match!r}" if match else "at all"
        lines = [f"No message {wanted} came to {self.address} in {timeout_seconds:g} s."]
        arrived = list(
            islice(self.pillarbox.messages.list(mailbox=self.address), _SHOWN_MESSAGES + 1)
        )
        if not arrived:
            lines.append("Nothing arrived there.")
        else:
            lines.append("What arrived, newest first:")
        for message in arrived[:_SHOWN_MESSAGES]:
            given = ", given to the test before" if message.is_read else ""
            lines.append(f"  {message.subject!r} from {message.sender}{given}")
        if len(arrived) > _SHOWN_MESSAGES:
            lines.append("  and more")
        return "\n".join(lines)


@pytest.fixture(scope="session")
def pillarbox() -> Iterator[Pillarbox]:
    """The installation that `PILLARBOX_URL` and `PILLARBOX_API_KEY` name."""
    with Pillarbox(_setting("PILLARBOX_URL"), _setting("PILLARBOX_API_KEY")) as client:
        yield client


@pytest.fixture(scope="session")
def supply(pillarbox: Pillarbox) -> Iterator["_Supply"]:
    """Where `mail` has its mailboxes from."""
    mailboxes = _Supply(pillarbox, _setting("PILLARBOX_DOMAIN"))
    yield mailboxes
    mailboxes.close()


@pytest.fixture
def mail(pillarbox: Pillarbox, supply: "_Supply") -> Iterator[MailboxForTest]:
    """A new mailbox with an address that no other test has, removed afterwards with its mail."""
    mailbox = supply.take()
    yield MailboxForTest(pillarbox, mailbox)
    pillarbox.mailboxes.delete(mailbox.id)


class _Supply:
    """New mailboxes, each made one test ahead: the SMTP server learns of a new address a moment
    later and would refuse what comes before."""

    def __init__(self, pillarbox: Pillarbox, domain: str) -> None:
        self._pillarbox = pillarbox
        self._domain = domain
        self._make()

    def take(self) -> Mailbox:
        time.sleep(max(0.0, self._known_at - time.monotonic()))
        taken = self._next
        self._make()
        return taken

    def close(self) -> None:
        self._pillarbox.mailboxes.delete(self._next.id)

    def _make(self) -> None:
        address = f"test-{secrets.token_hex(8)}@{self._domain}"
        self._next = self._pillarbox.mailboxes.create(address, display_name="A test")
        self._known_at = time.monotonic() + _LEARNING_SECONDS


def _setting(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        pytest.fail(f"Set {name}: these tests need a running Pillarbox.", pytrace=False)
    return value
