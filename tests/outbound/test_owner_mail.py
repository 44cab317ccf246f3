"""Mails that tell owners what became of their things: one for each change and owner."""

from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from clocks import MovableClock

from app.assembly import Services
from app.directory.domain_policy import DomainChange
from app.directory.domains import Domain
from app.directory.owner_notices import OwnerNews, queue_notices
from app.outbound.compose import OutgoingMail
from app.outbound.mail_templates import MailTemplates
from app.outbound.owner_mail import OwnerMail
from app.outbound.transports.port import Outcome, SendResult

CHANGES = [
    (DomainChange.VERIFIED, ""),
    (DomainChange.VERIFIED, "mx"),
    (DomainChange.MX_LOST, ""),
    (DomainChange.MX_RECOVERED, ""),
    (DomainChange.SUSPENDED, "mx"),
    (DomainChange.SUSPENDED, "ownership"),
    (DomainChange.RELEASED, ""),
]


class Sent:
    """A transport that keeps what it is given, and answers as it is told."""

    name = "kept"

    def __init__(self) -> None:
        self.mails: list[OutgoingMail] = []
        self.outcome = Outcome.ACCEPTED

    async def send(self, mail: OutgoingMail) -> SendResult:
        self.mails.append(mail)
        return SendResult(self.outcome, "as it was told")


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def mail(services: Services, sent: Sent) -> OwnerMail:
    return OwnerMail(
        services.owner_notices,
        sent,
        MailTemplates(),
        public_url="https://pillarbox.example",
        sender="Pillarbox <no-reply@pillarbox.example>",
    )


@pytest.fixture
async def domain(services: Services) -> Domain:
    tenant = await services.tenants.create("Acme", "enterprise")
    await services.users.add("ada@else.example", tenant.id, "owner")
    await services.users.add("ben@else.example", tenant.id, "agent")
    return await services.domains.add("acme.example", tenant.id, vouched=False)


async def queue(services: Services, domain: Domain, change: DomainChange, reason: str) -> None:
    async with services.log.transaction() as transaction:
        await queue_notices(
            transaction.connection,
            domain.tenant_id,
            OwnerNews("domain", domain.id, domain.name, change, reason),
            services.ids,
            services.clock.now(),
        )


@pytest.mark.parametrize(("change", "reason"), CHANGES)
async def test_owner_is_told_once_and_nobody_else(
    services: Services,
    mail: OwnerMail,
    sent: Sent,
    domain: Domain,
    change: DomainChange,
    reason: str,
) -> None:
    await queue(services, domain, change, reason)
    assert await mail.send_due() == 1
    assert await mail.send_due() == 0
    (told,) = sent.mails
    assert told.rcpt_to == "ada@else.example"
    message = message_from_bytes(told.message.as_bytes(), policy=policy.default)
    assert "acme.example" in message["Subject"]
    for part in ("plain", "html"):
        body = message.get_body((part,))
        assert body is not None
        assert f"https://pillarbox.example/admin/domains/{domain.id}" in body.get_content()


async def test_mail_is_tried_again_and_stays_the_same_until_it_goes(
    services: Services, mail: OwnerMail, sent: Sent, domain: Domain, clock: MovableClock
) -> None:
    await queue(services, domain, DomainChange.MX_LOST, "")
    sent.outcome = Outcome.RETRYABLE
    assert await mail.send_due() == 1
    assert await mail.send_due() == 0
    clock.moved_seconds += 60
    sent.outcome = Outcome.ACCEPTED
    assert await mail.send_due() == 1
    first, second = (told.message["Message-ID"] for told in sent.mails)
    assert first == second
    clock.moved_seconds += 86_400
    assert await mail.send_due() == 0


async def test_mail_is_given_up_after_three_days(
    services: Services, domain: Domain, clock: MovableClock
) -> None:
    await queue(services, domain, DomainChange.SUSPENDED, "mx")
    assert await services.owner_notices.give_up() == 0
    clock.moved_seconds += timedelta(days=3).total_seconds()
    assert await services.owner_notices.give_up() == 1
