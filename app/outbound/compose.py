"""Composing a mail that leaves (RFC 5322, RFC 2045)."""

from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from uuid import UUID

from app.core.errors import InvalidInput
from app.outbound.mail_templates import Words


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """A composed message in its envelope (RFC 5321): to one recipient."""

    mail_from: str
    rcpt_to: str
    message: EmailMessage


def compose(
    words: Words, *, sender: str, recipient: str, message_id: UUID, date: datetime
) -> OutgoingMail:
    """A mail in text and HTML that a program wrote (Auto-Submitted, RFC 3834, section 5).

    `sender` is a mailbox with or without a name, `recipient` an address. Raises `InvalidInput` for
    an address that is none, and for a line break in anything that becomes a header field.
    """
    _, mail_from = parseaddr(sender)
    for value in (sender, recipient, words.subject):
        if value != "".join(value.splitlines()):
            raise InvalidInput("A header field of a mail must not hold a line break.")
    for address in (mail_from, recipient):
        if "@" not in address:
            raise InvalidInput("A mail must be from an address, and to one.")
    # Beyond ASCII an address can only be written as it is (RFC 6532), a name also in ASCII.
    is_ascii = f"{mail_from}{recipient}".isascii()
    message = EmailMessage(policy=SMTP if is_ascii else SMTPUTF8)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = words.subject
    message["Date"] = format_datetime(date)
    message["Message-ID"] = f"<{message_id}@{mail_from.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(words.text)
    message.add_alternative(words.html, subtype="html")
    return OutgoingMail(mail_from, recipient, message)
