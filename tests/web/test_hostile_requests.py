"""Whatever a stranger writes into a request, the fault is never ours: no answer is a 5xx."""

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID, uuid4

import pytest
from application import begin_answer, serving
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from litestar import Litestar
from litestar.routes import HTTPRoute
from mailroom import Mailroom

from app.access.grants import COMMAND_LINE
from app.directory.bootstrap import ensure_temporary_domain
from app.inbox.signed_links import ImageLink, PictureLink, RawLink, SelectionLink
from app.main import web_application

MAIL = b"From: a@x.test\r\nSubject: s\r\nMessage-ID: <h@x>\r\n\r\nHi\r\n"
# The same requests each time: what they find is a fault, not a coin's fall.
EXAMPLES = hypothesis_settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PARAMETERS = (
    *("cursor", "after", "limit", "q", "mailbox", "folder", "label", "type", "next", "view"),
    *("pictures", "starred", "unread", "name", "email", "ids", "action", "code", "state", "star"),
    *("tenant", "role", "error", "iss", "page", "status", "since", "until", "sort", "token", "id"),
)
ODD = st.sampled_from(
    [
        *("", "\0", "a\0b", "%00", "\r\nx: y", "..", "../../etc/passwd", "//evil.test", "\\\\x"),
        *("'", "'; drop table message; --", "{{7*7}}", "<script>", "\u202e", "\U0010ffff", "é"),
        *("-1", "0", "1e9", "9" * 19, "9" * 400, "NaN", "null", "true", "[]", "{}", "\ud7ff"),
        *("x" * 5000, "a@b", "@", "a@b@c", "*@example.test", "٣", "2026-11-22", "0-" + "0" * 32),
        *(f"{2**63:x}-{UUID(int=0).hex}", "-" * 40, str(UUID(int=0)), str(uuid4()), "=" * 40),
        *("fffffffffffff-" + UUID(int=1).hex, "-1-" + UUID(int=1).hex, "is:(", '"', "(" * 200),
    ]
)
ANYTHING = ODD | st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])


class Site:
    """The application, with everything of value that it ever gave to a browser or a program."""

    def __init__(self, app: Litestar, cookie: str, csrf: str, key: str, tokens: list[str]) -> None:
        self.app = app
        self.cookie = cookie
        self.csrf = csrf
        self.key = key
        self.tokens = tokens
        self.paths = sorted(route.path for route in app.routes if isinstance(route, HTTPRoute))

    async def ask(
        self, method: str, path: str, query: bytes = b"", body: bytes = b"", **headers: bytes
    ) -> int:
        answer = await begin_answer(self.app, method, path, query, body, **headers)
        assert answer.status < 500, (answer.status, method, path, query, body, headers)
        return answer.status


@pytest.fixture
async def site(mailroom: Mailroom) -> AsyncIterator[Site]:
    services, tenant_id = mailroom.services, mailroom.mailbox.tenant_id
    await ensure_temporary_domain(
        services.tenants, services.domains, services.settings.temporary_domain
    )
    inbox = await services.inboxes.create()
    await mailroom.spool(MAIL, mailroom.mailbox.address, inbox.address)
    await mailroom.take_in()
    (row,) = await mailroom.rows()
    user = await services.users.add("ada@example.test", tenant_id, "owner", is_operator=True)
    app, links = web_application(services), services.links
    async with serving(app) as client:
        sign_in = await services.sign_in.create_link(user.id)
        assert (await client.post(f"/sign-in/{sign_in}")).status_code == 303
        csrf = re.search(r'name="csrf_token" value="([^"]+)"', (await client.get("/")).text)
        assert csrf
        signed = [
            links.sign_raw(RawLink(tenant_id, row.sha256.hex(), row.id)),
            links.sign_selection(SelectionLink(tenant_id, [row.id])),
            links.sign_image(ImageLink(f"{tenant_id}/{row.id}/gone.png", "image/png")),
            links.sign_picture(PictureLink("http://127.0.0.1:9/p.png")),
        ]
        tokens = [inbox.token, sign_in, *(path.rpartition("/")[2] for path in signed)]
        cookie = client.cookies["pillarbox"]
        minted = await services.keys.create(COMMAND_LINE, tenant_id)
        yield Site(app, cookie, csrf[1], minted.key, tokens)


def fill(data: st.DataObject, path: str, ids: list[str]) -> str:
    """The path with something in place of each parameter; an id that is one half of the time."""

    def choose(match: re.Match[str]) -> str:
        if match[1] == "uuid":
            return data.draw(st.sampled_from([*ids, str(UUID(int=0))]) | ANYTHING)
        return data.draw(st.sampled_from(ids) | ANYTHING)

    return re.sub(r"\{\w+:(\w+)\}", choose, path)


def encode(data: st.DataObject) -> bytes:
    """Fields as a query or a form, or bytes that are neither."""
    fields = data.draw(st.lists(st.tuples(st.sampled_from(PARAMETERS), ANYTHING), max_size=4))
    if data.draw(st.integers(0, 9)) == 0:
        return data.draw(st.binary(max_size=60))
    return urlencode(fields).encode()


@EXAMPLES
@given(data=st.data())
async def test_paths_and_queries(site: Site, data: st.DataObject) -> None:
    path = fill(data, data.draw(st.sampled_from(site.paths)), site.tokens)
    await site.ask(
        data.draw(METHODS),
        path,
        encode(data),
        cookie=f"pillarbox={site.cookie}".encode(),
        authorization=f"Bearer {site.key}".encode(),
    )


@EXAMPLES
@given(data=st.data())
async def test_forms_of_somebody_signed_in(site: Site, data: st.DataObject) -> None:
    """With a good token, so that the form is read. Signing out would end the walk, and no SMTP
    server runs that would take a test mail."""
    path = fill(data, data.draw(st.sampled_from(site.paths)), site.tokens)
    if path.endswith(("/sign-out", "/test-mail")):
        return
    kind = data.draw(
        st.sampled_from(
            [
                *("application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/x"),
                *("application/json", "multipart/form-data", "application/x-www-form-urlencoded"),
            ]
        )
        | ANYTHING
    )
    headers: dict[str, Any] = {"hx_request": b"true"} if data.draw(st.booleans()) else {}
    await site.ask(
        "POST",
        path,
        body=encode(data),
        content_type=quote(kind, safe="/;=- ").encode(),
        x_csrf_token=site.csrf.encode(),
        cookie=f"pillarbox={site.cookie}".encode(),
        **headers,
    )


def spoil(data: st.DataObject, token: str) -> str:
    """A good token, cut, changed or repeated, or none at all."""
    if data.draw(st.booleans()):
        return data.draw(ANYTHING)
    at = data.draw(st.integers(0, len(token)))
    return token[:at] + data.draw(ANYTHING) + token[at + data.draw(st.integers(0, 3)) :]


@EXAMPLES
@given(data=st.data())
async def test_tokens_and_signed_links(site: Site, data: st.DataObject) -> None:
    token = spoil(data, data.draw(st.sampled_from(site.tokens)))
    prefix = data.draw(
        st.sampled_from(["/t/", "/raw/", "/raw-zip/", "/image/", "/picture/", "/sign-in/"])
    )
    status = await site.ask(data.draw(st.sampled_from(["GET", "POST"])), prefix + token)
    assert status not in (200, 303) or token in site.tokens or prefix == "/sign-in/"


@EXAMPLES
@given(data=st.data())
async def test_cookies_keys_and_proofs(site: Site, data: st.DataObject) -> None:
    cookie = spoil(data, site.cookie).encode()
    proof = spoil(data, site.csrf).encode()
    key = spoil(data, site.key).encode()
    scheme = data.draw(st.sampled_from([b"Bearer ", b"bearer  ", b"Basic ", b""]))
    name = data.draw(
        st.sampled_from([b"pillarbox=", b"pillarbox", b"__Host-pillarbox=", b"=", b""])
    )
    for method, path, fields in (
        ("GET", "/inbox", {"cookie": name + cookie}),
        ("POST", "/inbox/actions", {"cookie": name + cookie, "x-csrf-token": proof}),
        (
            "POST",
            "/inbox/actions",
            {"cookie": f"pillarbox={site.cookie}".encode(), "x-csrf-token": proof},
        ),
        ("GET", "/api/v1/messages", {"authorization": scheme + key}),
    ):
        headers = {name.replace("-", "_"): value for name, value in fields.items()}
        await site.ask(method, path, **headers)


@EXAMPLES
@given(data=st.data())
async def test_cursors_and_places_to_go_next(site: Site, data: st.DataObject) -> None:
    cursor, place = data.draw(ANYTHING), data.draw(ANYTHING)
    signed_in = {"cookie": f"pillarbox={site.cookie}".encode()}
    key = {"authorization": f"Bearer {site.key}".encode()}
    query = urlencode({"cursor": cursor, "q": place}).encode()
    for path in ("/inbox", "/search", f"/t/{site.tokens[0]}"):
        await site.ask("GET", path, query, **signed_in)
    for path in ("/api/v1/messages", "/api/v1/search", "/api/v1/events"):
        await site.ask("GET", path, query + b"&" + urlencode({"after": place}).encode(), **key)
    for method, path in (("GET", "/sign-in"), ("POST", "/sign-in"), ("GET", "/sign-in/x")):
        answer = await begin_answer(
            site.app,
            method,
            path,
            urlencode({"next": place}).encode(),
            urlencode({"next": place, "email": "a@b.test"}).encode(),
            content_type=b"application/x-www-form-urlencoded",
        )
        assert answer.status < 500, (method, path, place)
        location = answer.header("location")
        assert re.match(r"(/(?![/\\])|$)", location), location
