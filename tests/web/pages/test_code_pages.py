"""The page on which one waits for a mail, its code, and the link opened in another browser."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from application import serving
from postman import Postman

from app.access.sign_in import CODE_TRIES
from app.access.sign_in_requests import MAILED_LINK_TTL
from app.assembly import Services, assemble
from app.directory.bootstrap import ensure_tenant
from app.main import web_application
from app.settings import Settings

ADA, NOBODY = "ada@example.test", "nobody@example.test"
COOKIE = "pillarbox-asked"


@pytest.fixture
async def postman(services: Services) -> Postman:
    tenant = await ensure_tenant(services.tenants, "First", "enterprise")
    await services.users.add(ADA, tenant.id, "owner")
    return Postman()


@pytest.fixture
async def phone(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Another browser."""
    async with serving(web_application(assemble(settings))) as client:
        yield client


async def ask(
    services: Services, web: httpx.AsyncClient, postman: Postman, email: str = ADA
) -> httpx.Response:
    """Asks, and has the mail delivered."""
    answer = await web.post("/sign-in", data={"email": email, "next": "/inbox?starred=1"})
    mail = services.magic_link_mail()
    assert mail
    await replace(mail, transport=postman).send_due()
    return answer


async def type_code(web: httpx.AsyncClient, code: str) -> httpx.Response:
    return await web.post("/sign-in/code", data={"code": code})


async def test_link_in_the_browser_that_asked_works_once_by_post_after_ten_gets(
    services: Services, web: httpx.AsyncClient, postman: Postman
) -> None:
    await ask(services, web, postman)
    (token,) = postman.links()
    for _ in range(10):
        assert "One press and you are in" in (await web.get(f"/sign-in/{token}")).text
    signed_in = await web.post(f"/sign-in/{token}")
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/inbox?starred=1")
    assert COOKIE not in web.cookies
    assert (await web.post(f"/sign-in/{token}")).status_code == 404


async def test_link_in_another_browser_signs_nobody_in_and_tells_nothing(
    services: Services, web: httpx.AsyncClient, phone: httpx.AsyncClient, postman: Postman
) -> None:
    await ask(services, web, postman)
    (token,), (code,) = postman.links(), postman.codes()
    seen = await phone.get(f"/sign-in/{token}")
    pressed = await phone.post(f"/sign-in/{token}")
    assert (seen.status_code, pressed.status_code) == (200, 403)
    for page in (seen.text, pressed.text):
        assert "type the 6 digits from the mail there" in page
        assert not [told for told in (token, ADA, code, code.replace(" ", "")) if told in page]
    assert not phone.cookies
    assert (await type_code(phone, code)).status_code == 200
    assert not phone.cookies
    assert (await web.post(f"/sign-in/{token}")).status_code == 303


async def test_code_from_the_phone_signs_the_computer_in(
    services: Services, web: httpx.AsyncClient, postman: Postman
) -> None:
    asked = await ask(services, web, postman)
    assert 'autocomplete="one-time-code"' in asked.text
    assert asked.text == (await web.get("/sign-in/code")).text
    wrong = await type_code(web, "000 00")
    assert (wrong.status_code, "4 more tries" in wrong.text) == (200, True)
    right = await type_code(web, postman.codes()[0])
    assert (right.status_code, right.headers["location"]) == (303, "/inbox?starred=1")
    assert (await web.get("/settings/sessions")).status_code == 200


async def test_pages_are_the_same_whether_or_not_anybody_has_the_address(
    services: Services, web: httpx.AsyncClient, phone: httpx.AsyncClient, postman: Postman
) -> None:
    known = [await ask(services, web, postman)]
    unknown = [await ask(services, phone, postman, NOBODY)]
    for _ in range(CODE_TRIES + 1):
        known.append(await type_code(web, "1"))
        unknown.append(await type_code(phone, "1"))
    for one, other in zip(known, unknown, strict=True):
        assert (one.status_code, one.content) == (other.status_code, other.content)
        assert one.headers.keys() == other.headers.keys()
    assert "Ask for a new code" in known[-1].text


async def test_cookie_of_the_asking_browser_is_short_lived_and_for_this_host_alone(
    services: Services, settings: Settings
) -> None:
    settings = replace(settings, public_url="https://mail.example.org")
    async with serving(web_application(assemble(settings))) as web:
        asked = await web.post("/sign-in", data={"email": NOBODY})
    cookie = asked.headers["set-cookie"]
    assert cookie.startswith("__Host-pillarbox-asked=")
    assert {part.strip() for part in cookie.split(";")[1:]} == {
        *("HttpOnly", "Secure", "Path=/", "SameSite=lax"),
        f"Max-Age={int(MAILED_LINK_TTL.total_seconds())}",
    }


@pytest.mark.parametrize("cookie", ["", ".", "x", "a" * 22, ".".join("b" * 22 for _ in range(99))])
async def test_cookie_that_we_did_not_give_opens_nothing(
    services: Services, web: httpx.AsyncClient, postman: Postman, cookie: str
) -> None:
    await ask(services, web, postman)
    headers = {"cookie": f"{COOKIE}={cookie}"}
    web.cookies.clear()
    (token,), (code,) = postman.links(), postman.codes()
    assert (await web.post(f"/sign-in/{token}", headers=headers)).status_code == 403
    typed = await web.post("/sign-in/code", data={"code": code}, headers=headers)
    assert "Ask for a new code" in typed.text


async def test_one_network_may_type_only_so_many_codes(
    web: httpx.AsyncClient, settings: Settings
) -> None:
    for _ in range(settings.sign_in_requests_per_hour):
        assert (await type_code(web, "123456")).status_code == 200
    assert (await type_code(web, "123456")).status_code == 429


async def test_other_sites_can_make_nobody_type_a_code(web: httpx.AsyncClient) -> None:
    headers = {"sec-fetch-site": "cross-site"}
    answer = await web.post("/sign-in/code", data={"code": "123456"}, headers=headers)
    assert answer.status_code == 403


async def test_browser_that_never_asked_is_led_to_ask(web: httpx.AsyncClient) -> None:
    answer = await web.get("/sign-in/code")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
