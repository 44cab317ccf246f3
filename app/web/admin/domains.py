"""The domains of an organisation: adding one, its records, what was seen of them, removing it."""

from typing import Any
from uuid import UUID

from limits import RateLimitItemPerMinute
from litestar import Request, Router, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from app.access.domain_changes import DomainChanges
from app.access.grants import Grant
from app.access.permissions import Permission
from app.access.rate_limits import RateLimits
from app.access.sessions import Session
from app.core.errors import AlreadyExists, InvalidInput
from app.directory.domain_checks import DomainChecks
from app.directory.domains import Domain, Domains
from app.web.access import find_domain
from app.web.admin.page import AdminPages, Words
from app.web.domain_wording import (
    MTA_STS_MODES,
    RECIPIENT_POLICIES,
    describe_check,
    describe_domain,
    describe_records,
)
from app.web.given import Given
from app.web.guards import allow

_DOMAINS = "/admin/domains"
_CHECKS = RateLimitItemPerMinute(20)
_SHOWN_CHECKS = 20


@get("/", opt=allow(Permission.DOMAINS_READ))
async def show_domains(
    grant: Given[Grant],
    session: Given[Session],
    admin_pages: Given[AdminPages],
    domains: Given[Domains],
    q: Words = "",
) -> Template:
    found = await domains.list(grant.tenant_id, grant.domain_ids)
    wanted = q.strip().lower()
    return admin_pages.show(
        session,
        "domains/list",
        may_write=grant.allows(Permission.DOMAINS_WRITE),
        q=q,
        rows=[(domain, describe_domain(domain)) for domain in found if wanted in domain.name],
    )


@get("/new", opt=allow(Permission.DOMAINS_WRITE))
async def show_new_domain(session: Given[Session], admin_pages: Given[AdminPages]) -> Template:
    return _ask_for_name(session, admin_pages)


@post("/", opt=allow(Permission.DOMAINS_WRITE))
async def add_domain(
    request: Request[Any, Any, Any],
    grant: Given[Grant],
    session: Given[Session],
    admin_pages: Given[AdminPages],
    domain_changes: Given[DomainChanges],
) -> Template | Redirect:
    """`name` of the form is the domain's."""
    name = str((await request.form()).get("name", ""))
    try:
        domain = await domain_changes.add(grant.actor, grant.tenant_id, name)
    except (AlreadyExists, InvalidInput) as error:
        return _ask_for_name(session, admin_pages, name=name, wrong=str(error))
    return _to(domain)


@get("/{domain_id:uuid}", opt=allow(Permission.DOMAINS_READ))
async def show_domain(
    domain_id: FromPath[UUID],
    grant: Given[Grant],
    session: Given[Session],
    admin_pages: Given[AdminPages],
    domains: Given[Domains],
    domain_checks: Given[DomainChecks],
) -> Template:
    domain = await find_domain(domains, grant, domain_id)
    checks = await domain_checks.list_checks(domain, _SHOWN_CHECKS)
    newest = next((check for check in checks if check.sightings), None)
    return admin_pages.show(
        session,
        "domains/show",
        may_write=grant.allows(Permission.DOMAINS_WRITE),
        domain=domain,
        standing=describe_domain(domain),
        records=describe_records(await domain_checks.list_records(domain), newest),
        checks=[(check, describe_check(check)) for check in checks],
        mailboxes=await domains.count_mailboxes(domain),
        recipient_policies=RECIPIENT_POLICIES,
        mta_sts_modes=MTA_STS_MODES,
        is_local=domain_checks.installation.mx_hosts[0] == "localhost",
    )


@post("/{domain_id:uuid}/check", opt=allow(Permission.DOMAINS_WRITE))
async def check_domain(
    domain_id: FromPath[UUID],
    grant: Given[Grant],
    domains: Given[Domains],
    domain_checks: Given[DomainChecks],
    rate_limits: Given[RateLimits],
) -> Redirect:
    """Looks at the records now, which takes some seconds at most."""
    domain = await find_domain(domains, grant, domain_id)
    await rate_limits.count(_CHECKS, "domain-check", str(domain.id))
    await domain_checks.check(domain)
    return _to(domain)


@post("/{domain_id:uuid}/settings", opt=allow(Permission.DOMAINS_WRITE))
async def change_domain(
    request: Request[Any, Any, Any],
    domain_id: FromPath[UUID],
    grant: Given[Grant],
    domains: Given[Domains],
    domain_changes: Given[DomainChanges],
) -> Redirect:
    """`recipient_policy` and `mta_sts_mode` of the form, each where it is given."""
    domain = await find_domain(domains, grant, domain_id)
    form = await request.form()
    await domain_changes.change(
        grant.actor,
        domain,
        recipient_policy=str(form.get("recipient_policy", "")) or None,
        mta_sts_mode=str(form.get("mta_sts_mode", "")) or None,
    )
    return _to(domain)


@get("/{domain_id:uuid}/delete", opt=allow(Permission.DOMAINS_WRITE))
async def ask_to_remove_domain(
    domain_id: FromPath[UUID],
    grant: Given[Grant],
    session: Given[Session],
    admin_pages: Given[AdminPages],
    domains: Given[Domains],
) -> Template:
    domain = await find_domain(domains, grant, domain_id)
    return admin_pages.show(
        session,
        "domains/delete",
        domain=domain,
        mailboxes=await domains.count_mailboxes(domain),
    )


@post("/{domain_id:uuid}/delete", opt=allow(Permission.DOMAINS_WRITE))
async def remove_domain(
    domain_id: FromPath[UUID],
    grant: Given[Grant],
    domains: Given[Domains],
    domain_changes: Given[DomainChanges],
) -> Redirect:
    await domain_changes.remove(grant.actor, await find_domain(domains, grant, domain_id))
    return Redirect(_DOMAINS, status_code=303)


def _ask_for_name(
    session: Session, admin_pages: AdminPages, *, name: str = "", wrong: str = ""
) -> Template:
    return admin_pages.show(
        session,
        "domains/new",
        status_code=400 if wrong else 200,
        name=name[:253],
        wrong=wrong,
    )


def _to(domain: Domain) -> Redirect:
    return Redirect(f"{_DOMAINS}/{domain.id}", status_code=303)


admin_domains_router = Router(
    _DOMAINS,
    route_handlers=[
        show_domains,
        show_new_domain,
        add_domain,
        show_domain,
        check_domain,
        change_domain,
        ask_to_remove_domain,
        remove_domain,
    ],
)
