"""Whatever is answered, on whatever route, keeps to itself."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import httpx
import pytest
from application import Answer, begin_answer, serving
from litestar import Litestar, get
from litestar.routes import HTTPRoute
from mailroom import Mailroom

from app.access.grants import COMMAND_LINE
from app.assembly import Services, assemble
from app.core.errors import Unavailable
from app.directory.bootstrap import ensure_temporary_domain
from app.inbox.signed_links import ImageLink, PictureLink, RawLink, SelectionLink
from app.main import ingester_application, web_application
from app.settings import Settings
from app.web.guards import allow_public

MAIL = (
    b"From: a@x.test\r\nSubject: s\r\nMessage-ID: <h@x>\r\n"
    b'Content-Type: multipart/related; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>Hi</p><img src=cid:p>\r\n"
    b"--b\r\nContent-Type: image/png\r\nContent-ID: <p>\r\n"
    b"Content-Disposition: inline; filename=p.png\r\n\r\npng\r\n--b--\r\n"
)
EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
SANDBOXED = "default-src 'none'; sandbox"
# What is fetched, and no page: how it must be sent.
FILES = ("/raw/", "/raw-zip/", "/attachments/")
PICTURES = ("/image/", "/picture/")


def assert_it_keeps_to_itself(answer: Answer, path: str) -> None:
    for name, value in EVERYWHERE.items():
        assert answer.header(name) == value, (path, name)
    policy = answer.header("content-security-policy")
    assert "default-src 'none'" in policy, path
    assert "frame-ancestors" in policy or policy == SANDBOXED, path
    resource_policy = answer.header("cross-origin-resource-policy")
    caching = answer.header("cache-control")
    is_shown = answer.status == 200 and any(part in path for part in PICTURES)
    if is_shown:
        assert (policy, resource_policy) == (SANDBOXED, "cross-origin"), path
        assert caching == "private, max-age=600", path
    else:
        assert resource_policy == "same-origin", path
        if path.startswith("/api/") and answer.header("etag"):
            assert caching == "private, no-cache", path
        elif not (path.startswith("/static/") and answer.status == 200):
            assert caching == "no-store", path
    if answer.status == 200 and any(part in path for part in FILES):
        assert policy == SANDBOXED, path
        assert answer.header("content-disposition").startswith("attachment;"), path
        assert answer.header("content-type") not in ("text/html", "image/svg+xml"), path
    for name, value in answer.headers:
        if name == "set-cookie":
            assert_cookie_is_kept_back(value, secure=False)


def assert_cookie_is_kept_back(cookie: str, *, secure: bool) -> None:
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert "httponly" in attributes
    assert attributes & {"samesite=lax", "samesite=strict"}
    assert "path=/" in attributes
    assert ("secure" in attributes) == secure
    assert not any(attribute.startswith("domain=") for attribute in attributes)
    assert cookie.startswith("__Host-") == secure


class Site:
    """The application with an owner signed in, a message in two inboxes, and links to it."""

    def __init__(self, app: Litestar, client: httpx.AsyncClient, values: dict[str, str]) -> None:
        self.app = app
        self._cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        self._values = values

    def routes(self) -> list[tuple[str, str]]:
        """Each method of each route, with what is there in place of the parameters. Those that
        change nothing come first, as one of the others deletes the temporary inbox."""
        found = [
            (method, self._fill(route.path))
            for route in self.app.routes
            if isinstance(route, HTTPRoute)
            for method in route.methods
        ]
        return sorted(found, key=lambda each: (each[0] != "GET", each))

    async def ask(self, method: str, path: str, **headers: bytes) -> Answer:
        return await begin_answer(self.app, method, path, **headers)

    async def ask_signed_in(self, method: str, path: str, **headers: bytes) -> Answer:
        key = self._values["key"]
        return await self.ask(
            method,
            path,
            cookie=self._cookie.encode(),
            authorization=f"Bearer {key}".encode(),
            **headers,
        )

    def _fill(self, path: str) -> str:
        for prefix in ("/raw-zip/", "/raw/", "/image/", "/picture/", "/sign-in/", "/static/"):
            if path.startswith(prefix) and "{" in path:
                return self._values[prefix]
        if path.startswith("/t/{token:str}"):
            path = path.replace("{token:str}", self._values["token"])
            path = path.replace("{message_id:uuid}", self._values["temporary_message"])
            path = path.replace("{attachment_id:uuid}", self._values["temporary_attachment"])
        for name in ("message_id", "attachment_id"):
            path = path.replace(f"{{{name}:uuid}}", self._values[name])
        path = re.sub(r"\{\w+:uuid\}", str(UUID(int=1)), path)
        return re.sub(r"\{\w+:\w+\}", "nothing", path)


async def find_parts(services: Services, mailbox_id: UUID) -> tuple[UUID, UUID]:
    row = await services.database.fetch_one(
        """select message.id, attachment.id as part from message
        join attachment on attachment.message_id = message.id where mailbox_id = $1""",
        mailbox_id,
    )
    assert row
    return row["id"], row["part"]


@pytest.fixture
async def site(mailroom: Mailroom) -> AsyncIterator[Site]:
    services = mailroom.services
    tenant_id = mailroom.mailbox.tenant_id
    await ensure_temporary_domain(
        services.tenants, services.domains, services.settings.temporary_domain
    )
    inbox = await services.inboxes.create()
    await mailroom.spool(MAIL, mailroom.mailbox.address, inbox.address)
    await mailroom.take_in()
    message_id, attachment_id = await find_parts(services, mailroom.mailbox.id)
    temporary = await find_parts(services, inbox.mailbox_id)
    (row,) = await mailroom.rows()
    key = await services.database.fetch_value(
        "select storage_key from attachment where id = $1", attachment_id
    )
    user = await services.users.add("ada@example.test", tenant_id, "owner", is_operator=True)
    minted = await services.keys.create(COMMAND_LINE, tenant_id)
    app = web_application(services)
    links = services.links
    async with serving(app) as client:
        sign_in = await services.sign_in.create_link(user.id)
        assert (await client.post(f"/sign-in/{sign_in}")).status_code == 303
        style = re.search(r"/static/style[^\"]+", (await client.get("/")).text)
        assert style
        yield Site(
            app,
            client,
            {
                "key": minted.key,
                "token": inbox.token,
                "message_id": str(message_id),
                "attachment_id": str(attachment_id),
                "temporary_message": str(temporary[0]),
                "temporary_attachment": str(temporary[1]),
                "/raw/": links.sign_raw(RawLink(tenant_id, row.sha256.hex(), message_id)),
                "/raw-zip/": links.sign_selection(SelectionLink(tenant_id, [message_id])),
                "/image/": links.sign_image(ImageLink(key, "image/png")),
                "/picture/": links.sign_picture(PictureLink("http://127.0.0.1:9/p.png")),
                "/sign-in/": "/sign-in/" + await services.sign_in.create_link(user.id),
                "/static/": style[0].partition("?")[0],
            },
        )


async def test_every_answer_of_every_route_has_the_headers_of_its_kind(site: Site) -> None:
    routes, shown = site.routes(), set()
    for method, path in routes:
        for ask in (site.ask, site.ask_signed_in):
            answer = await ask(method, path)
            assert answer.status < 500, (method, path)
            assert_it_keeps_to_itself(answer, path)
            if answer.status == 200:
                shown.add((method, path))
    # The walk is of use only where it gets in.
    reached = {path for method, path in shown if method == "GET"}
    for prefix in (*FILES, *PICTURES, "/static/", "/inbox", "/api/v1/messages"):
        assert any(prefix in path for path in reached), prefix
    assert any(path.endswith("/live") for path in reached)
    assert any(path.startswith("/t/") and "/attachments/" in path for path in reached)


async def test_errors_and_redirects_have_them_too(services: Services) -> None:
    @get("/fault", opt=allow_public())
    async def fault() -> None:
        raise RuntimeError("a fault of ours")

    @get("/away", opt=allow_public())
    async def away() -> None:
        raise Unavailable("The database is away.")

    app = web_application(services)
    app.register(fault)
    app.register(away)
    async with serving(app):
        for method, path, status in (
            ("GET", "/fault", 500),
            ("GET", "/away", 503),
            ("GET", "/nothing", 404),
            ("GET", "/api/v1/nothing", 404),
            ("GET", "/static/nothing.css", 404),
            ("GET", "/raw/nothing", 404),
            ("GET", "/image/nothing", 404),
            ("GET", "/t/nothing", 404),
            ("PUT", "/inbox", 405),
            ("GET", "/inbox", 303),
            ("GET", "/api/v1/messages", 401),
            ("GET", "/inbox/m/no-id", 404),
        ):
            answer = await begin_answer(app, method, path)
            assert answer.status == status, path
            assert_it_keeps_to_itself(answer, path)
        foreign = await begin_answer(app, "POST", "/t", origin=b"https://elsewhere.test")
        assert foreign.status == 403
        assert_it_keeps_to_itself(foreign, "/t")
        form = {"content_type": b"application/x-www-form-urlencoded"}
        long = b"email=" + b"x" * 1_100_000
        too_large = await begin_answer(app, "POST", "/sign-in", body=long, **form)
        assert too_large.status == 413
        assert_it_keeps_to_itself(too_large, "/sign-in")


async def test_ingester_answers_with_them_too(settings: Settings) -> None:
    app = ingester_application(assemble(settings))
    async with serving(app):
        for method, path in (
            ("GET", "/api/v1/health"),
            ("POST", "/events/inbound"),
            ("GET", "/inbox"),
        ):
            assert_it_keeps_to_itself(await begin_answer(app, method, path), path)


async def test_cookies_are_bound_to_the_host_and_pages_to_https_when_people_come_by_it(
    services: Services,
) -> None:
    secure = replace(services, settings=replace(services.settings, public_url="https://p.test"))
    app = web_application(secure)
    tenant = await services.tenants.create("First", "enterprise")
    user = await services.users.add("ada@example.test", tenant.id, "owner")
    async with serving(app):
        link = await services.sign_in.create_link(user.id)
        answer = await begin_answer(app, "POST", f"/sign-in/{link}")
        assert answer.status == 303
        cookies = [value for name, value in answer.headers if name == "set-cookie"]
        assert cookies
        for cookie in cookies:
            assert_cookie_is_kept_back(cookie, secure=True)
        page = await begin_answer(app, "GET", "/sign-in")
        assert page.header("strict-transport-security") == "max-age=31536000"
        for cookie in [value for name, value in page.headers if name == "set-cookie"]:
            assert_cookie_is_kept_back(cookie, secure=True)


async def test_plain_http_promises_no_https(site: Site) -> None:
    assert (await site.ask("GET", "/")).header("strict-transport-security") == ""
