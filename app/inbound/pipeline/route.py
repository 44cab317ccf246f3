"""The step that finds the mailboxes that an envelope means."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.directory.mailboxes import Mailbox, Mailboxes
from app.directory.recipients import Recipients
from app.inbound.pipeline.arrival import Dropped, Parsed, Refusal, Routed, new_delivery
from app.mime.addresses import normalise_domain, split_address


@dataclass(frozen=True, slots=True)
class Routing:
    """Where the items of a batch go."""

    routed: Sequence[Routed]
    refusals: Sequence[Refusal]
    dropped: Sequence[Dropped]


@dataclass(frozen=True, slots=True)
class Router:
    recipients: Recipients
    mailboxes: Mailboxes

    async def route(self, parsed: Sequence[Parsed]) -> Routing:
        """Each item with its mailboxes.

        An item for nobody is refused, and so kept, unless all it was meant for were temporary
        inboxes, which what arrives after their time follows, or addresses of domains that accept
        everything and discard.
        """
        recipients = {recipient for entry in parsed for recipient in _recipients(entry)}
        found = await self.recipients.find_mailboxes(recipients)
        lost = recipients - found.keys()
        discarding = await self.mailboxes.find_discarding_domains(
            {split_address(recipient)[1] for recipient in lost}
        )
        routed: list[Routed] = []
        refusals: list[Refusal] = []
        dropped: list[Dropped] = []
        for entry in parsed:
            mailboxes = _distinct(
                mailbox for r in _recipients(entry) for mailbox in found.get(r, ())
            )
            missing = [r for r in _recipients(entry) if r not in found]
            if mailboxes:
                deliveries = [new_delivery(entry.arrival.item, mailbox) for mailbox in mailboxes]
                routed.append(Routed(entry, deliveries))
            elif missing and all(
                normalise_domain(split_address(r)[1]) in discarding for r in missing
            ):
                dropped.append(Dropped(entry.arrival))
            else:
                refusals.append(Refusal(entry.arrival, "route", "No recipient has a mailbox."))
        return Routing(routed, refusals, dropped)


def _recipients(entry: Parsed) -> Sequence[str]:
    return entry.arrival.item.metadata.envelope.rcpt_to


def _distinct(mailboxes: Iterable[Mailbox]) -> Sequence[Mailbox]:
    return list({mailbox.id: mailbox for mailbox in mailboxes}.values())
