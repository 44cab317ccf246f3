"""A mailed link and its code: for the browser that asked, once, and after few guesses no more."""

import asyncio
from dataclasses import replace

import pytest
from clocks import MovableClock
from postman import Postman, asking

from app.access.browser import Browser
from app.access.magic_link import MagicLinkMail
from app.access.sign_in import CODE_TRIES, OpenedElsewhere, WrongCode
from app.access.sign_in_requests import MAILED_LINK_TTL
from app.assembly import Services
from app.core.errors import NotFound, PillarboxError
from app.directory.bootstrap import ensure_tenant

ADA, NOBODY = "ada@example.test", "nobody@example.test"


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


@pytest.fixture
async def browser(services: Services, mail: MagicLinkMail) -> Browser:
    """One that asked, and whose mail has arrived."""
    browser = asking()
    await services.sign_in_requests.add(ADA, "/inbox", browser)
    await mail.send_due()
    return browser


async def demand_same_kind(services: Services) -> None:
    await services.database.execute(
        """insert into sign_in_policy (tenant_id, needs_same_browser_kind)
        select id, true from tenant"""
    )


def wrong(code: str) -> str:
    """Another code, as near as can be."""
    return code[:-1] + str((int(code[-1]) + 1) % 10)


async def test_link_works_only_in_the_browser_that_asked(
    services: Services, postman: Postman, browser: Browser
) -> None:
    (token,) = postman.links()
    for another in (Browser(), asking(), Browser(secrets=["", token])):
        with pytest.raises(OpenedElsewhere):
            await services.sign_in.check_link(token, another)
        with pytest.raises(OpenedElsewhere):
            await services.sign_in.consume_link(token, another)
    assert (await services.sign_in.consume_link(token, browser)).next_path == "/inbox"


async def test_link_of_the_command_line_works_in_any_browser(
    services: Services, mail: MagicLinkMail
) -> None:
    user_id = await services.database.fetch_value("select id from user_account")
    for browser in (Browser(), asking()):
        token = await services.sign_in.create_link(user_id)
        await services.sign_in.check_link(token, browser)
        await services.sign_in.consume_link(token, browser)


async def test_code_signs_the_asking_browser_in_and_uses_up_the_link(
    services: Services, postman: Postman, browser: Browser
) -> None:
    (token,), (code,) = postman.links(), postman.codes()
    signed_in = await services.sign_in.consume_code(f" {code} ", browser)
    assert (await services.sessions.find(signed_in.session_token)).session.email == ADA
    with pytest.raises(NotFound):
        await services.sign_in.consume_link(token, browser)
    with pytest.raises(WrongCode):
        await services.sign_in.consume_code(code, browser)


async def test_code_is_used_up_by_the_link(
    services: Services, postman: Postman, browser: Browser
) -> None:
    await services.sign_in.consume_link(postman.links()[0], browser)
    with pytest.raises(WrongCode):
        await services.sign_in.consume_code(postman.codes()[0], browser)


async def test_code_opens_nothing_in_another_browser(
    services: Services, postman: Postman, browser: Browser
) -> None:
    (code,) = postman.codes()
    with pytest.raises(NotFound):
        await services.sign_in.consume_code(code, Browser())
    another = asking()
    await services.sign_in_requests.add(ADA, "", another)
    with pytest.raises(WrongCode):
        await services.sign_in.consume_code(code, another)
    await services.sign_in.consume_code(code, browser)


async def test_code_dies_after_a_few_wrong_ones_and_the_link_lives(
    services: Services, postman: Postman, browser: Browser
) -> None:
    (code,) = postman.codes()
    for left in reversed(range(CODE_TRIES)):
        with pytest.raises(WrongCode) as error:
            await services.sign_in.consume_code(wrong(code), browser)
        assert error.value.tries_left == left
    with pytest.raises(NotFound) as over:
        await services.sign_in.consume_code(code, browser)
    assert not isinstance(over.value, WrongCode)
    await services.sign_in.consume_link(postman.links()[0], browser)


async def test_guesses_side_by_side_count_one_by_one(
    services: Services, postman: Postman, browser: Browser
) -> None:
    (code,) = postman.codes()
    guesses = [services.sign_in.consume_code(wrong(code), browser) for _ in range(4 * CODE_TRIES)]
    ended = await asyncio.gather(*guesses, return_exceptions=True)
    assert sum(isinstance(one, WrongCode) for one in ended) == CODE_TRIES


async def test_guesses_end_in_the_same_way_when_nobody_has_the_address(
    services: Services, mail: MagicLinkMail, postman: Postman, browser: Browser
) -> None:
    for_nobody = asking()
    await services.sign_in_requests.add(NOBODY, "", for_nobody)
    await mail.send_due()
    (code,) = postman.codes()

    async def guess(one: Browser) -> tuple[type, str]:
        try:
            await services.sign_in.consume_code(wrong(code), one)
        except PillarboxError as error:
            return type(error), f"{error} {vars(error)}"
        raise AssertionError("it was right")

    for _ in range(CODE_TRIES + 2):
        assert await guess(browser) == await guess(for_nobody)


async def test_codes_of_one_address_are_looked_at_so_often_a_day_whoever_asks(
    services: Services, mail: MagicLinkMail, postman: Postman
) -> None:
    browsers = [asking() for _ in range(5)]
    for one in browsers:
        await services.sign_in_requests.add(ADA, "", one)
    await mail.send_due()
    for one in browsers[:-1]:
        for _ in range(CODE_TRIES):
            with pytest.raises(WrongCode):
                await services.sign_in.consume_code("not it", one)
    codes = postman.codes()
    assert len(codes) == 5
    for code in codes:
        with pytest.raises(NotFound):
            await services.sign_in.consume_code(code, browsers[-1])


async def test_code_lives_no_longer_than_its_link(
    services: Services, postman: Postman, browser: Browser, clock: MovableClock
) -> None:
    clock.moved_seconds += MAILED_LINK_TTL.total_seconds() + 1
    with pytest.raises(NotFound):
        await services.sign_in.consume_code(postman.codes()[0], browser)
    await services.sign_in.remove_old_links()
    assert await services.database.fetch_value("select count(*) from sign_in_tries") == 0


@pytest.mark.parametrize("code", ["", "é", "\0", "1" * 500, "１２３４５６", "12345", "' or 1=1"])
async def test_what_is_no_code_is_a_wrong_one(
    services: Services, browser: Browser, code: str
) -> None:
    with pytest.raises(WrongCode):
        await services.sign_in.consume_code(code, browser)


async def test_mail_that_comes_late_works_beside_the_newest(
    services: Services, mail: MagicLinkMail, postman: Postman, browser: Browser
) -> None:
    newer = replace(browser, secrets=[*asking().secrets, *browser.secrets])
    await services.sign_in_requests.add(ADA, "", newer)
    await mail.send_due()
    first, second = postman.codes()
    await services.sign_in.consume_code(first, newer)
    await services.sign_in.consume_code(second, newer)


async def test_browser_must_stay_of_its_kind_where_the_tenant_says_so(
    services: Services, mail: MagicLinkMail, postman: Postman
) -> None:
    await demand_same_kind(services)
    browser = asking()
    await services.sign_in_requests.add(ADA, "", browser)
    await mail.send_due()
    (token,), (code,) = postman.links(), postman.codes()
    stolen = replace(browser, kind="Safari on a phone or tablet")
    with pytest.raises(OpenedElsewhere):
        await services.sign_in.consume_link(token, stolen)
    with pytest.raises(WrongCode):
        await services.sign_in.consume_code(code, stolen)
    await services.sign_in.consume_link(token, browser)


async def test_kind_of_browser_does_not_matter_otherwise(
    services: Services, postman: Postman, browser: Browser
) -> None:
    updated = replace(browser, kind="Chrome on a computer")
    await services.sign_in.consume_link(postman.links()[0], updated)
