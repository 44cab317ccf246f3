"""Mails that tell owners what became of a domain, from their queue to the transport."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.errors import Unavailable
from app.core.log import get_logger
from app.directory.domain_notices import DomainNotice, DomainNotices
from app.directory.domain_policy import DomainChange
from app.outbound.compose import OutgoingMail, compose
from app.outbound.mail_templates import MailTemplates
from app.outbound.transports.port import Outcome, Transport

_AT_ONCE = 10
_log = get_logger("domain_mail")

_Wording = tuple[str, str, str]
"""Of a change and its reason: the subject, what has happened, what to do."""

_WORDINGS: Mapping[tuple[DomainChange, str], _Wording] = {
    (DomainChange.VERIFIED, ""): (
        "{domain} receives mail",
        "The records of {domain} were found. Mail for its mailboxes is taken from now on.",
        "There is nothing to do. The records have to stay as they are: they are looked at again "
        "about every hour.",
    ),
    (DomainChange.VERIFIED, "mx"): (
        "{domain} is yours, and waits for its MX record",
        "The ownership record of {domain} was found, but its MX record does not point to us. Mail "
        "that comes here all the same is deferred.",
        "Set up the mailboxes, then change the MX record. Until then nothing is lost.",
    ),
    (DomainChange.MX_LOST, ""): (
        "{domain}: its mail no longer comes here",
        "The MX record of {domain} no longer points to us. Mail that still comes here is deferred: "
        "its senders try again.",
        "If that is a mistake, put the record back. After 48 hours mail is refused for good, and "
        "its senders are told.",
    ),
    (DomainChange.MX_RECOVERED, ""): (
        "{domain} receives mail",
        "The MX record of {domain} points to us. Its mail is taken from now on, also what was "
        "deferred, once its senders try again.",
        "There is nothing to do.",
    ),
    (DomainChange.SUSPENDED, "mx"): (
        "{domain} is suspended",
        "The MX record of {domain} has not pointed to us for 48 hours. Mail that still comes here "
        "is refused for good from now on. All mail that was taken is still there.",
        "To receive again, put the record back, and ask for a check.",
    ),
    (DomainChange.SUSPENDED, "ownership"): (
        "{domain} is suspended",
        "The ownership record (TXT) of {domain} is gone, so we no longer know that the domain is "
        "yours. Its mail is refused for good from now on. All mail that was taken is still there.",
        "To receive again, put the record back, and ask for a check. As long as it is missing, "
        "somebody else who has the domain can claim it.",
    ),
    (DomainChange.RELEASED, ""): (
        "{domain} belongs to somebody else now",
        "After your ownership record of {domain} was gone, somebody else published theirs. Your "
        "mailboxes at {domain} receive no more. They keep their mail, and nobody else sees it.",
        "If the domain is yours, put your record back, remove theirs, and ask for a check.",
    ),
}


@dataclass(frozen=True, slots=True)
class DomainMail:
    """Sends each notice once.

    A crash between sending and noting that can make a second copy. Its Message-ID is the same.
    """

    notices: DomainNotices
    transport: Transport
    templates: MailTemplates
    public_url: str
    sender: str

    async def send_due(self) -> int:
        """Deals with notices that are due, and says with how many. Raises `Unavailable` when the
        database is away."""
        claimed = await self.notices.claim(_AT_ONCE)
        outcomes = await asyncio.gather(*map(self._handle, claimed), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return len(claimed)

    async def _handle(self, notice: DomainNotice) -> None:
        """A notice that breaks something must not keep the others waiting."""
        try:
            await self._send(notice)
        except Unavailable:
            raise
        except Exception as error:
            await self.notices.postpone(notice)
            # Not the error's words: they may tell the address.
            self._note(notice, "failed", reason=type(error).__name__)

    async def _send(self, notice: DomainNotice) -> None:
        result = await self.transport.send(self._compose(notice))
        if result.outcome is Outcome.RETRYABLE:
            await self.notices.postpone(notice)
        else:
            await self.notices.remove(notice)
        said = {} if result.outcome is Outcome.ACCEPTED else {"reason": result.response}
        self._note(notice, result.outcome.value, transport=self.transport.name, **said)

    def _compose(self, notice: DomainNotice) -> OutgoingMail:
        subject, happened, advice = (
            words.format(domain=notice.domain_name)
            for words in _WORDINGS[notice.change, notice.reason]
        )
        words = self.templates.render(
            "domain",
            subject=subject,
            happened=happened,
            advice=advice,
            link=f"{self.public_url}/admin/domains/{notice.domain_id}",
        )
        return compose(
            words,
            sender=self.sender,
            recipient=notice.email,
            message_id=notice.id,
            date=notice.created_at,
        )

    def _note(self, notice: DomainNotice, outcome: str, **facts: Any) -> None:
        level = _log.info if outcome == "accepted" else _log.warning
        level("domain_mail.send", notice_id=str(notice.id), outcome=outcome, **facts)
