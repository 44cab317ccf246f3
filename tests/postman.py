"""Sign-in mail as a test sees it, and the browser that asked for it."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from app.access.browser import Browser
from app.outbound.compose import OutgoingMail
from app.outbound.transports.port import Outcome, SendResult

FIREFOX = "Firefox on a computer"


def asking(kind: str = FIREFOX) -> Browser:
    """A browser that has just been given a secret."""
    return Browser(kind=kind, secrets=[uuid4().hex[:22]])


@dataclass
class Postman:
    """A transport that answers as a test tells it: the faults that a real one would have."""

    name = "postman"
    outcome: Outcome = Outcome.ACCEPTED
    mails: list[OutgoingMail] = field(default_factory=list)
    breaks: bool = False
    waits_for: asyncio.Event | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, mail: OutgoingMail) -> SendResult:
        self.mails.append(mail)
        self.reached.set()
        if self.waits_for:
            await self.waits_for.wait()
        if self.breaks:
            raise RuntimeError("a bug of ours")
        return SendResult(self.outcome, "said so")

    def links(self) -> Sequence[str]:
        found = []
        for mail in self.mails:
            body = mail.message.get_body(("plain",))
            assert body
            found += re.findall(r"/sign-in/(\S+)", body.get_content())
        return found

    def codes(self) -> Sequence[str]:
        """As they stand in the mails, with a space in the middle."""
        found = []
        for mail in self.mails:
            body = mail.message.get_body(("plain",))
            assert body
            found += re.findall(r"^ +(\d{3} \d{3})$", body.get_content(), re.M)
        return found
