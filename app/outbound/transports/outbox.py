"""Not sending at all: the mail is kept in the outbox, and its link is told on the console."""

import asyncio
import re
from collections.abc import Callable

from app.outbound.compose import OutgoingMail
from app.outbound.outbox import Outbox
from app.outbound.transports.port import Outcome, SendResult, one_line

_LINK = re.compile(r"https?://\S+")


class OutboxTransport:
    """For development. `say` gets one line for each mail, which holds its first link: it must
    lead to a person's eyes and into no log."""

    name = "outbox"

    def __init__(self, outbox: Outbox, say: Callable[[str], None]) -> None:
        self._outbox = outbox
        self._say = say

    async def send(self, mail: OutgoingMail) -> SendResult:
        try:
            item_id = await asyncio.to_thread(self._outbox.put, mail.message.as_bytes())
        except OSError as error:
            return SendResult(Outcome.RETRYABLE, one_line(f"The outbox cannot be written: {error}"))
        link = _LINK.search(_text_of(mail))
        words = f"Mail to {mail.rcpt_to}: {mail.message['Subject']}"
        self._say(f"{words}: {link[0]}" if link else words)
        return SendResult(Outcome.ACCEPTED, "kept in the outbox", str(item_id))


def _text_of(mail: OutgoingMail) -> str:
    body = mail.message.get_body(("plain",))
    return str(body.get_content()) if body else ""
