"""The ASGI applications: `create_web()` for people and programs, `create_ingester()` for providers.

The ingester takes callbacks and nothing else: it knows no cookies and shows no pages.
"""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template import TemplateConfig
from litestar.types import ControllerRouterHandler

from app.assembly import Services, assemble
from app.core.collector import collect_seldom
from app.core.errors import PillarboxError
from app.core.log import configure_logging
from app.settings import read_settings
from app.storage.spool.port import SpoolWriter
from app.web.admin.audit import admin_audit_router
from app.web.admin.domains import admin_domains_router
from app.web.admin.jobs import admin_jobs_router
from app.web.admin.keys import admin_keys_router
from app.web.admin.mailboxes import admin_mailboxes_router
from app.web.admin.overview import show_overview
from app.web.admin.page import AdminPages
from app.web.admin.quarantine import admin_quarantine_router
from app.web.admin.routes import admin_routes_router
from app.web.admin.settings import admin_settings_router
from app.web.admin.sign_in import sign_in_settings_router
from app.web.admin.tenants import admin_tenants_router
from app.web.admin.users import admin_users_router
from app.web.admin.webhook_log import admin_webhook_log_router
from app.web.admin.webhooks import admin_webhooks_router
from app.web.api.audit import audit_router
from app.web.api.callers import Callers, tell_allowance
from app.web.api.docs import docs_router
from app.web.api.domain_checks import domain_checks_router
from app.web.api.domains import domains_router
from app.web.api.events import events_router
from app.web.api.health import health_router
from app.web.api.keys import keys_router
from app.web.api.labels import labels_router
from app.web.api.mailboxes import mailboxes_router
from app.web.api.messages import messages_router
from app.web.api.metrics import public_metrics_router, tenant_metrics_router
from app.web.api.openapi import Description, configure_openapi
from app.web.api.query import check_query
from app.web.api.revalidation import tag_reads
from app.web.api.search import search_api_router
from app.web.api.traces import traces_router
from app.web.api.users import users_router
from app.web.api.waiting import wait_for_message
from app.web.api.webhook_deliveries import webhook_deliveries_router
from app.web.api.webhooks import webhooks_router
from app.web.api.writing import WholeWrites
from app.web.assets import STATIC_FOLDER, Assets, send_asset
from app.web.browsers import BrowserCookies
from app.web.callbacks.inbound import receive_message
from app.web.callbacks.token import ProviderToken
from app.web.compression import compress_pages
from app.web.cookies import SessionCookies
from app.web.given import give_in_turn
from app.web.guards import Guard, granted, signed_in
from app.web.mta_sts import show_policy
from app.web.pages.design import show_design
from app.web.pages.downloads import (
    download_raw,
    download_raw_zip,
    link_raw_zip,
    show_image,
    show_picture,
)
from app.web.pages.events import EventPages, events_page_router
from app.web.pages.inbox import inbox_router
from app.web.pages.lists import ListPages
from app.web.pages.messages import MessagePages
from app.web.pages.outbox import outbox_router
from app.web.pages.refusals import show_refusals
from app.web.pages.search import search_router
from app.web.pages.settings import settings_router
from app.web.pages.sign_in import (
    ask_for_link,
    show_code_form,
    show_sign_in,
    show_sign_in_form,
    sign_out,
    use_code,
    use_sign_in,
)
from app.web.pages.single_sign_on import (
    JourneyCookie,
    ProviderOffer,
    come_back,
    show_signed_out,
)
from app.web.pages.start import create_inbox, show_start
from app.web.pages.temporary import temporary_router
from app.web.pages.traces import show_trace
from app.web.problems import handle_error
from app.web.rendering import create_environment
from app.web.security import security_headers
from app.web.shutdown import ending_on_signal

_API = "/api/v1"
_MAX_FORM_BYTES = 1_000_000
_PUBLIC_ROUTERS = (health_router, public_metrics_router, docs_router)
_MAX_API_BYTES = 1_000_000
_API_ROUTERS: Sequence[ControllerRouterHandler] = (
    messages_router,
    wait_for_message,
    search_api_router,
    labels_router,
    mailboxes_router,
    events_router,
    traces_router,
    keys_router,
    users_router,
    audit_router,
    tenant_metrics_router,
    domains_router,
    domain_checks_router,
    webhooks_router,
    webhook_deliveries_router,
)
_PAGES: Sequence[ControllerRouterHandler] = (
    show_start,
    create_inbox,
    temporary_router,
    inbox_router,
    search_router,
    show_sign_in_form,
    ask_for_link,
    come_back,
    show_signed_out,
    show_code_form,
    use_code,
    show_sign_in,
    use_sign_in,
    sign_out,
    settings_router,
    sign_in_settings_router,
    show_refusals,
    events_page_router,
    show_trace,
    show_overview,
    admin_users_router,
    admin_keys_router,
    admin_mailboxes_router,
    admin_routes_router,
    admin_webhooks_router,
    admin_webhook_log_router,
    admin_quarantine_router,
    admin_audit_router,
    admin_settings_router,
    admin_tenants_router,
    admin_jobs_router,
    admin_domains_router,
    outbox_router,
    download_raw,
    link_raw_zip,
    download_raw_zip,
    show_image,
    show_picture,
)


def create_web() -> Litestar:
    """For the server of `pillarbox web`, which passes nothing."""
    application = web_application(_start())
    collect_seldom()
    return application


def create_ingester() -> Litestar:
    """For the server of `pillarbox ingester`."""
    return ingester_application(_start())


def web_application(services: Services) -> Litestar:
    """Pages, the API and downloads. Where only one process may serve HTTP, callbacks too."""
    handlers: list[ControllerRouterHandler] = [
        Router(
            "/",
            route_handlers=_PAGES,
            include_in_schema=False,
            request_max_body_size=_MAX_FORM_BYTES,
        ),
        send_asset,
        show_policy,
        Router(_API, route_handlers=[*_PUBLIC_ROUTERS, _api(services)]),
    ]
    if services.settings.dyno:
        handlers.append(receive_message)
    if not services.settings.production:
        handlers.append(Router("/", route_handlers=[show_design], include_in_schema=False))
    return _create(services, handlers)


def ingester_application(services: Services) -> Litestar:
    """Provider callbacks and probes only."""
    return _create(services, [Router(_API, route_handlers=[health_router]), receive_message])


def _api(services: Services) -> Router:
    """What wants a key: who calls is found first, then the answer may be one that is known."""
    settings = services.settings
    callers = Callers(
        services.keys,
        services.rate_limits,
        settings.api_requests_per_minute,
        settings.trusted_proxies,
    )
    writes = WholeWrites(services.writes)
    return Router(
        "/",
        route_handlers=_API_ROUTERS,
        guards=[check_query],
        # The framework copies whatever else than a function it is given, with all its parts.
        middleware=[lambda app: callers.wrap(app), tag_reads, lambda app: writes.wrap(app)],
        request_max_body_size=_MAX_API_BYTES,
    )


def _start() -> Services:
    settings = read_settings(os.environ)
    configure_logging(human=not settings.production)
    return assemble(settings)


def _create(services: Services, handlers: Sequence[ControllerRouterHandler]) -> Litestar:
    assets = Assets.of(STATIC_FOLDER)
    secure = services.settings.public_url.startswith("https://")
    environment = create_environment(services.clock, assets)
    cookies = SessionCookies(
        services.sessions,
        services.settings.secret_key,
        secure=secure,
        random_bytes=services.ids.random_bytes,
    )
    description = Description()
    journey_cookie = JourneyCookie(secure=cookies.secure)
    parts: Mapping[str, object] = {
        "description": description,
        "settings": services.settings,
        "assets": assets,
        "clock": services.clock,
        "ids": services.ids,
        "database": services.database,
        "doorbell": services.doorbell,
        "egress": services.egress,
        "blobs": services.blobs,
        "domains": services.domains,
        "domain_changes": services.domain_changes,
        "domain_checks": services.domain_checks,
        "mailboxes": services.mailboxes,
        "keys": services.keys,
        "users": services.users,
        "sessions": services.sessions,
        "sign_in": services.sign_in,
        "sign_in_requests": services.sign_in_requests,
        "sign_in_settings": services.sign_in_settings,
        "sso_connections": services.sso_connections,
        "single_sign_on": services.single_sign_on,
        "journey_cookie": journey_cookie,
        "provider_offer": ProviderOffer(
            services.single_sign_on, services.sign_in_policies, journey_cookie
        ),
        "outbox": services.outbox,
        "rate_limits": services.rate_limits,
        "inboxes": services.inboxes,
        "kept_lists": services.kept_lists,
        "reading": services.reading,
        "traces": services.traces,
        "actions": services.actions,
        "labels": services.labels,
        "links": services.links,
        "feed": services.feed,
        "archive": services.archive,
        "pictures": services.pictures,
        "sample": services.sample,
        "search": services.search,
        "waiting": services.waiting,
        "saved_searches": services.saved_searches,
        "suggestions": services.suggestions,
        "session_cookies": cookies,
        "tenants": services.tenants,
        "routes": services.routes,
        "directory_changes": services.directory_changes,
        "parked_review": services.parked_review(),
        "quarantine_review": services.quarantine_review(),
        "tenant_visits": services.tenant_visits(),
        "webhook_endpoints": services.webhook_endpoints,
        "webhook_deliveries": services.webhook_deliveries,
        "webhook_replays": services.webhook_replays,
        "work_report": services.work_report(),
        "audit": services.audit,
        "admin_pages": AdminPages(cookies),
        "browser_cookies": BrowserCookies(
            services.ids, services.settings.trusted_proxies, secure=cookies.secure
        ),
        "event_pages": EventPages(
            services.database, services.mailboxes, services.feed, environment, services.clock
        ),
        "lists": ListPages(services.database, services.feed, environment),
        "messages": MessagePages(services.reading, services.blobs, services.links),
    }
    app = Litestar(
        handlers,
        dependencies={
            **{name: _given(part) for name, part in parts.items()},
            "grant": Provide(granted, sync_to_thread=False),
            "session": Provide(signed_in, sync_to_thread=False),
            "spool": Provide(_find_spool, sync_to_thread=False),
        },
        guards=[
            Guard(
                cookies,
                services.sign_in_policies,
                ProviderToken(
                    services.settings.ingester_inbound_token,
                    is_needed=services.settings.production,
                ),
                services.settings.trusted_proxies,
                services.settings.public_url,
            )
        ],
        lifespan=[_lifespan(services, with_spool=receive_message in handlers)],
        middleware=[compress_pages],
        before_send=[security_headers(secure=secure), cookies.send_new_token, tell_allowance],
        exception_handlers={
            PillarboxError: handle_error,
            HTTPException: handle_error,
            Exception: handle_error,
        },
        template_config=TemplateConfig(instance=JinjaTemplateEngine.from_environment(environment)),
        openapi_config=configure_openapi(f"{_API}/openapi.json", description),
        request_max_body_size=2 * services.settings.smtp_max_message_bytes,
        logging_config=None,
    )
    give_in_turn(app)
    return app


def _lifespan(services: Services, *, with_spool: bool) -> Any:
    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(services.running())
            await stack.enter_async_context(services.feed.running())
            stack.enter_context(ending_on_signal(services.feed))
            if with_spool:
                app.state.spool = await services.spool.open_writer("callback")
                stack.push_async_callback(app.state.spool.close)
            yield

    return lifespan


class _Part(Provide):
    """One part of the installation. The framework compares each with every other, once for each
    handler, and no two of them are the same."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__


def _given(part: object) -> Provide:
    return _Part(lambda: part, use_cache=True, sync_to_thread=False)


def _find_spool(state: State) -> SpoolWriter:
    spool: SpoolWriter = state.spool
    return spool
