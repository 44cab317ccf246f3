"""From a wish for a link to the mail: to those who may have one, once, and in time."""

import asyncio
from dataclasses import replace

import pytest
from clocks import MovableClock
from postman import Postman, asking

from app.access.magic_link import MagicLinkMail
from app.access.sign_in_requests import MAILED_LINK_TTL
from app.assembly import Services
from app.core.errors import InvalidInput, NotFound
from app.directory.bootstrap import ensure_tenant
from app.outbound.transports.port import Outcome

ADA = "ada@example.test"


@pytest.fixture
def postman() -> Postman:
    return Postman()


@pytest.fixture
async def mail(services: Services, postman: Postman) -> MagicLinkMail:
    tenant = await ensure_tenant(services.tenants, "First", "enterprise")
    await services.users.add(ADA, tenant.id, "owner")
    made = services.magic_link_mail()
    assert made
    return replace(made, transport=postman)


async def waiting(services: Services) -> int:
    count: int = await services.database.fetch_value("select count(*) from sign_in_request")
    return count


async def test_link_in_the_mail_signs_its_reader_in_once(
    services: Services, mail: MagicLinkMail, postman: Postman
) -> None:
    browser = asking()
    await services.sign_in_requests.add(ADA, "/inbox/m/1", browser)
    assert await mail.send_due() == 1
    assert await mail.send_due() == 0
    (sent,) = postman.mails
    assert (sent.mail_from, sent.rcpt_to) == ("no-reply@pillarbox.test", ADA)
    (token,) = postman.links()
    signed_in = await services.sign_in.consume_link(token, browser)
    assert signed_in.next_path == "/inbox/m/1"
    assert (await services.sessions.find(signed_in.session_token)).session.email == ADA
    with pytest.raises(NotFound):
        await services.sign_in.consume_link(token, browser)


async def test_link_in_a_mail_works_for_a_quarter_of_an_hour(
    services: Services, mail: MagicLinkMail, postman: Postman, clock: MovableClock
) -> None:
    browser = asking()
    await services.sign_in_requests.add(ADA, "", browser)
    await mail.send_due()
    clock.moved_seconds += MAILED_LINK_TTL.total_seconds() - 5
    await services.sign_in.check_link(postman.links()[0], browser)
    clock.moved_seconds += 10
    with pytest.raises(NotFound):
        await services.sign_in.check_link(postman.links()[0], browser)


async def test_unknown_address_gets_nothing_and_leaves_nothing(
    services: Services, mail: MagicLinkMail, postman: Postman
) -> None:
    await services.database.execute(
        "insert into user_account (id, email, created_at) values ($1, 'gone@example.test', now())",
        services.ids.new(),
    )
    for email in ("stranger@example.test", "gone@example.test"):
        await services.sign_in_requests.add(email, "", asking())
    assert await mail.send_due() == 2
    assert postman.mails == []
    assert await waiting(services) == 0


@pytest.mark.parametrize("email", ["ADA@Example.TEST", "ada@EXAMPLE.test"])
async def test_address_is_known_however_it_is_written(
    services: Services, mail: MagicLinkMail, postman: Postman, email: str
) -> None:
    await services.sign_in_requests.add(email, "", asking())
    await mail.send_due()
    assert [sent.rcpt_to for sent in postman.mails] == [ADA]


@pytest.mark.parametrize("email", ["", "nobody", "a@b\r\nBcc: c@d", "a b@c.test", "x" * 400])
async def test_what_is_no_address_is_not_queued(services: Services, email: str) -> None:
    with pytest.raises(InvalidInput):
        await services.sign_in_requests.add(email, "", asking())
    assert await waiting(services) == 0


async def test_no_more_mails_than_allowed_go_to_one_address(
    services: Services, mail: MagicLinkMail, postman: Postman
) -> None:
    spellings = [ADA, "Ada@example.test", "ADA@EXAMPLE.TEST"] * 3
    for email in spellings:
        await services.sign_in_requests.add(email, "", asking())
    assert await mail.send_due() == len(spellings)
    assert len(postman.mails) == mail.mails_per_hour
    assert await waiting(services) == 0


async def test_mail_is_tried_again_later_when_it_could_not_be_sent_now(
    services: Services, mail: MagicLinkMail, postman: Postman, clock: MovableClock
) -> None:
    postman.outcome = Outcome.RETRYABLE
    browser = asking()
    await services.sign_in_requests.add(ADA, "", browser)
    assert await mail.send_due() == 1
    assert await mail.send_due() == 0
    postman.outcome = Outcome.ACCEPTED
    clock.moved_seconds += 10
    assert await mail.send_due() == 1
    assert await waiting(services) == 0
    first, second = postman.links()
    assert first != second
    await services.sign_in.check_link(second, browser)


async def test_retries_do_not_count_as_further_mails(
    services: Services, mail: MagicLinkMail, postman: Postman, clock: MovableClock
) -> None:
    postman.outcome = Outcome.RETRYABLE
    await services.sign_in_requests.add(ADA, "", asking())
    for _ in range(6):
        await mail.send_due()
        clock.moved_seconds += 121
    assert len(postman.mails) == 6


async def test_request_is_given_up_once_its_link_would_have_expired(
    services: Services, mail: MagicLinkMail, postman: Postman, clock: MovableClock
) -> None:
    postman.outcome = Outcome.RETRYABLE
    await services.sign_in_requests.add(ADA, "", asking())
    await mail.send_due()
    clock.moved_seconds += MAILED_LINK_TTL.total_seconds()
    assert await mail.send_due() == 0
    assert (len(postman.mails), await waiting(services)) == (1, 0)


async def test_refused_mail_is_not_tried_again(
    services: Services, mail: MagicLinkMail, postman: Postman
) -> None:
    postman.outcome = Outcome.PERMANENT
    await services.sign_in_requests.add(ADA, "", asking())
    await mail.send_due()
    assert await waiting(services) == 0


async def test_request_that_breaks_something_keeps_no_other_waiting(
    services: Services, mail: MagicLinkMail, postman: Postman, clock: MovableClock
) -> None:
    postman.breaks = True
    await services.sign_in_requests.add(ADA, "", asking())
    assert await mail.send_due() == 1
    assert await waiting(services) == 1
    postman.breaks = False
    clock.moved_seconds += 10
    await mail.send_due()
    assert await waiting(services) == 0


async def test_two_workers_never_take_the_same_request(
    services: Services, mail: MagicLinkMail, postman: Postman
) -> None:
    for _ in range(5):
        await services.sign_in_requests.add(ADA, "", asking())
    taken = await asyncio.gather(*(mail.send_due() for _ in range(4)))
    assert sum(taken) == len(postman.mails) == 5


async def test_request_that_another_holds_keeps_nobody_waiting(
    services: Services, mail: MagicLinkMail, postman: Postman
) -> None:
    for email in (ADA, "ADA@example.test"):
        await services.sign_in_requests.add(email, "", asking())
    async with services.database.transaction() as connection:
        await connection.execute("select from sign_in_request order by id limit 1 for update")
        assert await mail.send_due() == 1
    assert await mail.send_due() == 1


async def test_request_of_a_worker_that_died_is_taken_up_by_another(
    services: Services, mail: MagicLinkMail, postman: Postman, clock: MovableClock
) -> None:
    await services.sign_in_requests.add(ADA, "", asking())
    postman.waits_for = asyncio.Event()
    dying = asyncio.create_task(mail.send_due())
    await postman.reached.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    postman.waits_for = None
    assert await mail.send_due() == 0
    clock.moved_seconds += 61
    assert await mail.send_due() == 1
    assert await waiting(services) == 0


async def test_token_is_written_down_nowhere(
    services: Services, mail: MagicLinkMail, postman: Postman
) -> None:
    await services.sign_in_requests.add(ADA, "", asking())
    postman.outcome = Outcome.RETRYABLE
    await mail.send_due()
    (token,) = postman.links()
    (code,) = postman.codes()
    written = (token, code.replace(" ", ""))
    for table in ("sign_in_request", "sign_in_link", "sign_in_tries", "event"):
        rows = await services.database.fetch(f"select {table}::text as row from {table}")
        assert not [row for row in rows for part in written if part in row["row"]]
