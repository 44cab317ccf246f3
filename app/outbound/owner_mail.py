"""Mails that tell owners what became of their things, from their queue to the transport."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.errors import Unavailable
from app.core.log import get_logger
from app.directory.domain_policy import DomainChange
from app.directory.owner_notices import OwnerNotice, OwnerNotices
from app.outbound.compose import OutgoingMail, compose
from app.outbound.mail_templates import MailTemplates
from app.outbound.transports.port import Outcome, Transport

_AT_ONCE = 10
_log = get_logger("owner_mail")

_Wording = tuple[str, str, str]
"""The subject, what has happened, what to do."""

_PAGES = {
    "domain": ("/admin/domains/{id}", "Show the records"),
    "webhook": ("/admin/webhooks/{id}", "Show the webhook"),
}
_WORDINGS: Mapping[tuple[str, str, str], _Wording] = {
    ("domain", DomainChange.VERIFIED, ""): (
        "{name} receives mail",
        "The records of {name} were found. Mail for its mailboxes is taken from now on.",
        "There is nothing to do. The records have to stay as they are: they are looked at again "
        "about every hour.",
    ),
    ("domain", DomainChange.VERIFIED, "mx"): (
        "{name} is yours, and waits for its MX record",
        "The ownership record of {name} was found, but its MX record does not point to us. Mail "
        "that comes here all the same is deferred.",
        "Set up the mailboxes, then change the MX record. Until then nothing is lost.",
    ),
    ("domain", DomainChange.MX_LOST, ""): (
        "{name}: its mail no longer comes here",
        "The MX record of {name} no longer points to us. Mail that still comes here is deferred: "
        "its senders try again.",
        "If that is a mistake, put the record back. After 48 hours mail is refused for good, and "
        "its senders are told.",
    ),
    ("domain", DomainChange.MX_RECOVERED, ""): (
        "{name} receives mail",
        "The MX record of {name} points to us. Its mail is taken from now on, also what was "
        "deferred, once its senders try again.",
        "There is nothing to do.",
    ),
    ("domain", DomainChange.SUSPENDED, "mx"): (
        "{name} is suspended",
        "The MX record of {name} has not pointed to us for 48 hours. Mail that still comes here "
        "is refused for good from now on. All mail that was taken is still there.",
        "To receive again, put the record back, and ask for a check.",
    ),
    ("domain", DomainChange.SUSPENDED, "ownership"): (
        "{name} is suspended",
        "The ownership record (TXT) of {name} is gone, so we no longer know that the domain is "
        "yours. Its mail is refused for good from now on. All mail that was taken is still there.",
        "To receive again, put the record back, and ask for a check. As long as it is missing, "
        "somebody else who has the domain can claim it.",
    ),
    ("domain", DomainChange.RELEASED, ""): (
        "{name} belongs to somebody else now",
        "After your ownership record of {name} was gone, somebody else published theirs. Your "
        "mailboxes at {name} receive no more. They keep their mail, and nobody else sees it.",
        "If the domain is yours, put your record back, remove theirs, and ask for a check.",
    ),
    ("webhook", "disabled", "failing"): (
        "The webhook to {name} is switched off",
        "For five days nothing could be delivered to {name}. Nothing more is sent there.",
        "Once it answers again, switch it on. What was missed can be sent then.",
    ),
    ("webhook", "disabled", "gone"): (
        "The webhook to {name} is switched off",
        "{name} answered with 410 (Gone): it wants no more events. Nothing more is sent there.",
        "If that is a mistake, switch it on. What was missed can be sent then.",
    ),
}


@dataclass(frozen=True, slots=True)
class OwnerMail:
    """Sends each notice once.

    A crash between sending and noting that can make a second copy. Its Message-ID is the same.
    """

    notices: OwnerNotices
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

    async def _handle(self, notice: OwnerNotice) -> None:
        """A notice that breaks something must not keep the others waiting."""
        try:
            await self._send(notice)
        except Unavailable:
            raise
        except Exception as error:
            await self.notices.postpone(notice)
            # Not the error's words: they may tell the address.
            self._note(notice, "failed", reason=type(error).__name__)

    async def _send(self, notice: OwnerNotice) -> None:
        result = await self.transport.send(self._compose(notice))
        if result.outcome is Outcome.RETRYABLE:
            await self.notices.postpone(notice)
        else:
            await self.notices.remove(notice)
        said = {} if result.outcome is Outcome.ACCEPTED else {"reason": result.response}
        self._note(notice, result.outcome.value, transport=self.transport.name, **said)

    def _compose(self, notice: OwnerNotice) -> OutgoingMail:
        news = notice.news
        subject, happened, advice = (
            words.format(name=news.subject_name)
            for words in _WORDINGS[news.subject_type, news.change, news.reason]
        )
        path, does = _PAGES[news.subject_type]
        words = self.templates.render(
            "owner",
            subject=subject,
            happened=happened,
            advice=advice,
            link=self.public_url + path.format(id=news.subject_id),
            link_does=does,
        )
        return compose(
            words,
            sender=self.sender,
            recipient=notice.email,
            message_id=notice.id,
            date=notice.created_at,
        )

    def _note(self, notice: OwnerNotice, outcome: str, **facts: Any) -> None:
        level = _log.info if outcome == "accepted" else _log.warning
        level("owner_mail.send", notice_id=str(notice.id), outcome=outcome, **facts)
