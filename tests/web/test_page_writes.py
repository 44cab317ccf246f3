"""Every write of every page, from the application's own routes: a new one is covered or fails."""

from uuid import uuid4

import httpx
import pytest
from application import serving
from litestar import Litestar
from litestar.routes import HTTPRoute

from app.assembly import Services, assemble
from app.directory.bootstrap import ensure_tenant
from app.main import web_application
from app.settings import Settings

# Their credential is in the address, or they need none; what guards them is where they come from.
_WITHOUT_SESSION = ("/t", "/sign-in")
_READS = {"GET", "HEAD", "OPTIONS"}


def writes(app: Litestar) -> list[tuple[str, str]]:
    """Method and path of each, with something in place of its parameters."""
    found = []
    for route in app.routes:
        if isinstance(route, HTTPRoute) and not route.path.startswith("/api/"):
            parts = [
                part
                if isinstance(part, str)
                else {"uuid": str(uuid4()), "int": "1"}.get(part.type.__name__.lower(), "x")
                for part in route.path_components
            ]
            path = "/" + "/".join(parts)
            found += [(method, path) for method in route.methods - _READS]
    return found


@pytest.fixture
def app(settings: Settings) -> Litestar:
    return web_application(assemble(settings))


async def sign_in(services: Services, web: httpx.AsyncClient) -> None:
    tenant = await ensure_tenant(services.tenants, "First", "enterprise")
    user = await services.users.add("ada@example.test", tenant.id, "owner")
    link = await services.sign_in.create_link(user.id)
    assert (await web.post(f"/sign-in/{link}")).status_code == 303


async def test_no_write_begins_on_another_site(services: Services, app: Litestar) -> None:
    async with serving(app) as web:
        await sign_in(services, web)
        assert len(writes(app)) > 8
        for method, path in writes(app):
            for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
                answer = await web.request(method, path, headers=headers)
                assert answer.status_code == 403, (method, path)


async def test_no_write_of_a_session_goes_without_its_token(
    services: Services, app: Litestar
) -> None:
    async with serving(app) as web:
        await sign_in(services, web)
        for method, path in writes(app):
            if path.startswith(_WITHOUT_SESSION):
                continue
            for data in ({}, {"csrf_token": "A" * 43}):
                answer = await web.request(method, path, data=data)
                assert answer.status_code == 403, (method, path)


async def test_no_write_of_a_session_goes_without_a_session(app: Litestar) -> None:
    async with serving(app) as web:
        for method, path in writes(app):
            if not path.startswith(_WITHOUT_SESSION):
                answer = await web.request(method, path, data={"csrf_token": "A" * 43})
                assert answer.status_code == 303, (method, path)
                assert answer.headers["location"].startswith("/sign-in")


async def test_form_of_unreasonable_size_is_refused(app: Litestar) -> None:
    async with serving(app) as web:
        answer = await web.post("/sign-in", data={"email": "x" * 2_000_000})
        assert answer.status_code == 413
