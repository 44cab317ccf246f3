"""How people sign in to a tenant, and from where it is administered: for its owners."""

from typing import Any
from uuid import UUID

from litestar import Request, Router, get, post
from litestar.response import Redirect, Template

from app.access.grants import Grant
from app.access.permissions import Permission
from app.access.sessions import Session
from app.access.sign_in_policy import SignInPolicy, parse_networks
from app.access.sign_in_settings import SignInSettings
from app.access.single_sign_on import CALLBACK_PATH
from app.access.sso_connections import SsoConnection
from app.core.errors import InvalidInput
from app.core.secrets import Secret
from app.settings import Settings
from app.web.admin.page import AdminPages
from app.web.given import Given
from app.web.guards import allow

_HERE = "/admin/settings/sign-in"
_ROLES_SHOWN = 50


@get("/")
async def show_sign_in_settings(
    session: Given[Session],
    admin_pages: Given[AdminPages],
    sign_in_settings: Given[SignInSettings],
    settings: Given[Settings],
) -> Template:
    return await _page(session, admin_pages, sign_in_settings, settings)


@post("/mail", status_code=200)
async def save_mail_policy(
    request: Request[Any, Any, Any],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    sign_in_settings: Given[SignInSettings],
    settings: Given[Settings],
) -> Redirect | Template:
    form = await request.form()
    try:
        await sign_in_settings.set_mail(
            grant,
            allows_mail=bool(form.get("allows_mail")),
            needs_same_browser_kind=bool(form.get("needs_same_browser_kind")),
            came_by_provider=session.sso_tenant_id == session.tenant_id,
        )
    except InvalidInput as error:
        return await _page(session, admin_pages, sign_in_settings, settings, str(error))
    return Redirect(_HERE, status_code=303)


@post("/provider", status_code=200)
async def save_provider(
    request: Request[Any, Any, Any],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    sign_in_settings: Given[SignInSettings],
    settings: Given[Settings],
) -> Redirect | Template:
    """An empty secret leaves the one that is there, as long as the issuer stays."""
    form = await request.form()

    def read(name: str) -> str:
        return str(form.get(name, "")).strip()

    try:
        wanted = SsoConnection(
            tenant_id=grant.tenant_id,
            issuer=read("issuer"),
            client_id=read("client_id"),
            client_secret=Secret(read("client_secret")) if read("client_secret") else None,
            role_claim=read("role_claim"),
            roles=_parse_roles(read("roles")),
            default_role=read("default_role"),
            domain_ids=_parse_ids(form.getall("domain_id", [])),
        )
        await sign_in_settings.set_provider(grant, wanted)
    except InvalidInput as error:
        return await _page(session, admin_pages, sign_in_settings, settings, str(error))
    return Redirect(_HERE, status_code=303)


@get("/provider/remove")
async def ask_to_remove_provider(
    session: Given[Session], admin_pages: Given[AdminPages]
) -> Template:
    return admin_pages.show(
        session,
        "settings/remove_provider",
        here="settings",
    )


@post("/provider/remove")
async def remove_provider(grant: Given[Grant], sign_in_settings: Given[SignInSettings]) -> Redirect:
    await sign_in_settings.remove_provider(grant)
    return Redirect(_HERE, status_code=303)


@post("/networks", status_code=200)
async def save_networks(
    request: Request[Any, Any, Any],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    sign_in_settings: Given[SignInSettings],
    settings: Given[Settings],
) -> Redirect | Template:
    """A list without one's own address is saved only after a page of its own asked again."""
    form = await request.form()
    try:
        networks = parse_networks(str(form.get("networks", "")))
    except InvalidInput as error:
        return await _page(session, admin_pages, sign_in_settings, settings, str(error))
    admits = SignInPolicy(admin_networks=networks).admits(grant.actor.address)
    if not admits and form.get("confirmed") != "yes":
        return admin_pages.show(
            session,
            "settings/confirm_networks",
            here="settings",
            address=grant.actor.address,
            networks=networks,
        )
    await sign_in_settings.set_admin_networks(grant.tenant_id, networks, grant.actor)
    return Redirect(_HERE if admits else "/inbox", status_code=303)


async def _page(
    session: Session,
    admin_pages: AdminPages,
    sign_in_settings: SignInSettings,
    settings: Settings,
    wrong: str = "",
) -> Template:
    shown = await sign_in_settings.show(session.tenant_id)
    return admin_pages.show(
        session,
        "settings/sign_in",
        here="settings",
        policy=shown.policy,
        provider=shown.connection,
        roles=_write_roles(shown.connection),
        domains=shown.domains,
        outside=shown.people_outside,
        may_have_provider=shown.may_have_provider,
        came_by_provider=session.sso_tenant_id == session.tenant_id,
        redirect_uri=f"{settings.public_url}{CALLBACK_PATH}",
        wrong=wrong,
    )


def _parse_roles(text: str) -> dict[str, str]:
    """`value = role`, one to a line. Raises `InvalidInput`."""
    roles = {}
    for line in filter(None, map(str.strip, text.splitlines()[:_ROLES_SHOWN])):
        value, equals, role = line.rpartition("=")
        if not equals or not value.strip():
            raise InvalidInput(f"Write each role as VALUE = ROLE, not as {line[:50]}.")
        roles[value.strip()] = role.strip().lower()
    return roles


def _write_roles(connection: SsoConnection | None) -> str:
    return (
        "\n".join(f"{value} = {role}" for value, role in connection.roles.items())
        if connection
        else ""
    )


def _parse_ids(texts: list[Any]) -> list[UUID]:
    try:
        return [UUID(str(text)) for text in texts]
    except ValueError as error:
        raise InvalidInput("There is no such domain.") from error


sign_in_settings_router = Router(
    _HERE,
    route_handlers=[
        show_sign_in_settings,
        save_mail_policy,
        save_provider,
        ask_to_remove_provider,
        remove_provider,
        save_networks,
    ],
    opt=allow(Permission.OWNER),
)
