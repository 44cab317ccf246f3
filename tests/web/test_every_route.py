"""Every route of both applications, asked by those who may not use it.

The routes come from each application's own table, so that a new one is covered or fails here. What
they lead to is made in `victim.py`.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from application import serving
from litestar import Litestar
from litestar.routes import HTTPRoute
from mailroom import Mailroom
from victim import CALLBACKS, FIELDS, MARK, QUERIES, Victim, make_victim

from app.access.grants import COMMAND_LINE
from app.access.permissions import ROLE_PERMISSIONS, ROLES, SCOPES
from app.assembly import assemble
from app.core.secrets import Secret
from app.directory.bootstrap import ensure_temporary_domain
from app.main import ingester_application, web_application
from app.settings import Settings
from app.web.api.openapi import Shown
from app.web.guards import Door, Rule, rule_of

REFUSALS = (401, 403, 404)
# A stream does not end for whoever may read it, and who signs out cannot go on asking.
STREAMS = ("GET /inbox/live", "GET /events/live", "GET /api/v1/events/stream")
NOT_AS_ONESELF = (*STREAMS, "POST /sign-out")
# What changes when somebody reaches into the victim's tenant.
WATCHED = (
    *("message", "message_label", "label", "saved_search", "undo_step", "mailbox", "domain"),
    *("membership", "event", "audit_entry"),
    *("webhook_endpoint", "webhook_delivery", "webhook_replay"),
)


@dataclass(frozen=True)
class Route:
    """A method of a path. `example` is the body that the API's description shows for it."""

    method: str
    path: str
    parameters: frozenset[str]
    rule: Rule
    example: object

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/api/")

    @property
    def is_write(self) -> bool:
        return self.method not in ("GET", "HEAD")

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Caller:
    """Somebody who asks: what they send with each request, and with each form."""

    headers: Mapping[str, str] = field(default_factory=dict)
    csrf_token: str = ""


@dataclass(frozen=True)
class Answer:
    """What can be told from an answer, without what differs each time."""

    status: int
    kind: str
    location: str
    body: str


class Site:
    """The running application, and the victim in it."""

    def __init__(self, client: httpx.AsyncClient, routes: Sequence[Route], victim: Victim) -> None:
        self.client, self.routes, self.victim = client, routes, victim
        self.services, self.tenant_id = victim.mailroom.services, victim.mailroom.mailbox.tenant_id
        missing = {name for route in self._guarded() for name in route.parameters}
        missing -= {*victim.things, "token"}
        assert not missing, f"say in make_things of tests/web/victim.py how {missing} are made"

    def _guarded(self) -> Sequence[Route]:
        return [route for route in self.routes if route.rule.door is not Door.PUBLIC]

    def behind_credentials(self, *, api: bool) -> Sequence[Route]:
        """Those that want a session, or a key."""
        return [
            route
            for route in self._guarded()
            if route.is_api is api and route.rule.door is not Door.TOKEN
        ]

    def behind_tokens(self) -> Sequence[Route]:
        return [route for route in self.routes if route.rule.door is Door.TOKEN]

    async def ask(self, route: Route, caller: Caller, things: Mapping[str, object]) -> Answer:
        self.client.cookies.clear()
        filled = {name: str(things[name]) for name in route.parameters}
        sent: dict[str, object] = {}
        if route.is_write and route.is_api and route.example is not None:
            sent["json"] = msgspec.to_builtins(route.example)
        elif route.is_write and not route.is_api:
            values = {name: str(value) for name, value in things.items()}
            form = {**FIELDS, **values, "ids": values["message_id"]}
            sent["data"] = {**form, "csrf_token": caller.csrf_token}
        answer = await self.client.request(
            route.method,
            f"{route.path.format(**filled)}?{QUERIES.get(route.path, '')}",
            headers=caller.headers,
            **sent,  # type: ignore[arg-type]
        )
        location = answer.headers.get("location", "")
        kind = answer.headers.get("content-type", "")
        return Answer(answer.status_code, kind, mask(location, filled), mask(answer.text, filled))

    async def find_faults(
        self, routes: Sequence[Route], caller: Caller, *, signs_in: bool = False
    ) -> Sequence[str]:
        """What is wrong with the refusals of these routes: `signs_in` allows being led to the
        sign-in page."""
        before = await self._digest()
        things = {"token": "t" * 22, **self.victim.things}
        nothing = {name: uuid4() for name in things} | {
            "token": self.victim.things.get("token", "n" * 22)
        }
        faults = []
        for route in routes:
            reached, missed = [await self.ask(route, caller, each) for each in (things, nothing)]
            if not (reached.status in REFUSALS or (signs_in and leads_to_sign_in(reached))):
                faults.append(f"{route}: answers {reached.status}, {reached.body[:200]}")
            elif reached != missed:
                faults.append(f"{route}: tells what exists, {reached} and {missed}")
            elif MARK in reached.body:
                faults.append(f"{route}: shows what it refuses")
        if await self._digest() != before:
            faults.append("something was changed")
        return faults

    async def find_leaks(self, routes: Sequence[Route], caller: Caller) -> Sequence[str]:
        """What routes show that a caller may use for their own, but nobody else's, things."""
        before = await self._digest()
        secrets = {MARK, *(str(value) for value in self.victim.things.values())}
        secrets -= {str(self.tenant_id)}
        faults = []
        for route in routes:
            answer = await self.ask(route, caller, self.victim.things)
            if answer.status >= 500 or any(secret in answer.body for secret in secrets):
                faults.append(f"{route}: answers {answer.status}, {answer.body[:200]}")
        if await self._digest() != before:
            faults.append("something was changed")
        return faults

    async def sign_in(self, email: str, tenant_id: UUID, role: str) -> Caller:
        user = await self.services.users.add(email, tenant_id, role)
        link = await self.services.sign_in.create_link(user.id)
        answer = await self.client.post(f"/sign-in/{link}")
        assert answer.status_code == 303
        headers = {"cookie": f"pillarbox={answer.cookies['pillarbox']}"}
        self.client.cookies.clear()
        page = (await self.client.get("/", headers=headers)).text
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert found
        return Caller(headers, found[1])

    async def bearer(self, tenant_id: UUID, scopes: Sequence[str], **limits: object) -> Caller:
        minted = await self.services.keys.create(
            COMMAND_LINE,
            tenant_id,
            scopes,
            **limits,  # type: ignore[arg-type]
        )
        return Caller({"authorization": f"Bearer {minted.key}"})

    async def _digest(self) -> Sequence[object]:
        return [
            await self.services.database.fetch_value(
                f"""select md5(string_agg(each::text, '|' order by each::text))
                from {table} as each where tenant_id = $1""",
                self.tenant_id,
            )
            for table in WATCHED
        ]


def list_routes(app: Litestar) -> Sequence[Route]:
    found = []
    for route in app.routes:
        assert isinstance(route, HTTPRoute), f"{route.path}: say here how such a route is asked"
        for method, (handler, _) in route.route_handler_map.items():
            if method == "OPTIONS":
                continue  # tells the methods of the path, and asks for nothing
            rule = rule_of(handler)
            assert rule is not None, f"{method} {route.path}: give it `opt=allow(…)`"
            example = handler.opt.get("shown", Shown()).body
            names = frozenset(route.path_parameters)
            found.append(Route(method, route.path_format, names, rule, example))
    return found


def leads_to_sign_in(answer: Answer) -> bool:
    return answer.status == 303 and answer.location.startswith("/sign-in")


def mask(text: str, values: Mapping[str, str]) -> str:
    for value in values.values():
        text = text.replace(value, "*")
    return re.sub(r'(name="csrf_token" value="|"trace_id": ?")[^"]+', r"\1*", text)


@pytest.fixture
async def site(settings: Settings, mailroom: Mailroom) -> AsyncIterator[Site]:
    settings = replace(settings, api_requests_per_minute=100_000)
    services = mailroom.services
    await ensure_temporary_domain(services.tenants, services.domains, settings.temporary_domain)
    app = web_application(assemble(settings, clock=services.clock))
    victim = await make_victim(mailroom)
    async with serving(app) as client:
        yield Site(client, list_routes(app), victim)


async def test_nobody_gets_in_without_credentials(site: Site) -> None:
    nobody = Caller()
    assert not await site.find_faults(site.behind_credentials(api=True), nobody)
    assert not await site.find_faults(site.behind_credentials(api=False), nobody, signs_in=True)


async def test_nobody_gets_in_by_a_token_that_is_none(site: Site) -> None:
    assert all("token" in route.parameters for route in site.behind_tokens())
    assert not await site.find_faults(site.behind_tokens(), Caller())


async def test_token_opens_only_what_it_is_for(site: Site) -> None:
    inbox = await site.services.inboxes.create()
    within = [route for route in site.behind_tokens() if len(route.parameters) > 1]
    assert within
    site.victim = replace(site.victim, things={**site.victim.things, "token": inbox.token})
    assert not await site.find_faults(within, Caller())


async def test_nobody_reaches_into_another_tenant(site: Site) -> None:
    stranger = (await site.services.tenants.create("Stranger", "enterprise")).id
    await site.services.domains.add("stranger.test", stranger, vouched=True)
    person = await site.sign_in("stranger@stranger.test", stranger, "owner")
    program = await site.bearer(stranger, sorted(SCOPES))
    for caller, api in ((person, False), (program, True)):
        routes = site.behind_credentials(api=api)
        to_things = [route for route in routes if route.parameters]
        own = [
            route for route in routes if not route.parameters and str(route) not in NOT_AS_ONESELF
        ]
        assert not await site.find_faults(to_things, caller)
        assert not await site.find_leaks(own, caller)


async def test_role_does_no_more_than_it_may(site: Site) -> None:
    people = {
        role: await site.sign_in(f"{role}@example.test", site.tenant_id, role) for role in ROLES
    }
    for role, caller in people.items():
        routes = [
            route
            for route in site.behind_credentials(api=False)
            if route.rule.door is Door.OPERATOR
            or (route.rule.permission or "") not in {"", *ROLE_PERMISSIONS[role]}
        ]
        assert routes or role != "viewer"
        assert not await site.find_faults(routes, caller)


async def test_key_does_no_more_than_its_scopes_say(site: Site) -> None:
    for scope in sorted(SCOPES):
        caller = await site.bearer(site.tenant_id, sorted(SCOPES - {scope}))
        routes = [
            route
            for route in site.behind_credentials(api=True)
            if route.rule.permission == scope or route.rule.door is Door.OPERATOR
        ]
        assert not await site.find_faults(routes, caller)


async def test_key_for_another_mailbox_reaches_nothing(site: Site) -> None:
    other = await site.victim.mailroom.add_mailbox("other@example.test")
    scopes = sorted(SCOPES - {"admin", "domains:read", "domains:write"})
    caller = await site.bearer(site.tenant_id, scopes, mailbox_ids=[other.id])
    routes = site.behind_credentials(api=True)
    to_things = [route for route in routes if route.parameters]
    reads = [
        route
        for route in routes
        if not (route.parameters or route.is_write or str(route) in STREAMS)
    ]
    assert to_things
    assert reads
    assert not await site.find_faults(to_things, caller)
    assert not await site.find_leaks(reads, caller)


async def test_revoked_key_opens_nothing(site: Site) -> None:
    minted = await site.services.keys.create(COMMAND_LINE, site.tenant_id, sorted(SCOPES))
    caller = Caller({"authorization": f"Bearer {minted.key}"})
    reads = [
        route
        for route in site.behind_credentials(api=True)
        if not (route.is_write or route.parameters or str(route) in STREAMS)
    ]
    statuses = {(await site.ask(route, caller, site.victim.things)).status for route in reads}
    assert statuses == {200}
    await site.services.keys.revoke(COMMAND_LINE, site.tenant_id, minted.id)
    assert not await site.find_faults(site.behind_credentials(api=True), caller)


async def test_cookie_opens_no_api_and_key_no_page(site: Site) -> None:
    owner = await site.sign_in(site.victim.owner.email, site.tenant_id, "owner")
    headers = {**owner.headers, "x-csrf-token": owner.csrf_token}
    assert not await site.find_faults(site.behind_credentials(api=True), Caller(headers))
    key = await site.bearer(site.tenant_id, sorted(SCOPES))
    assert not await site.find_faults(site.behind_credentials(api=False), key, signs_in=True)


async def test_nothing_is_written_without_the_token_of_the_session(site: Site) -> None:
    owner = await site.sign_in(site.victim.owner.email, site.tenant_id, "owner")
    other = await site.sign_in("other@example.test", site.tenant_id, "owner")
    writes = [route for route in site.behind_credentials(api=False) if route.is_write]
    assert len(writes) > 5
    for wrong in ("", "A" * 43, other.csrf_token):
        assert not await site.find_faults(writes, replace(owner, csrf_token=wrong))


async def test_ingester_takes_nothing_from_who_has_no_token(
    settings: Settings, mailroom: Mailroom
) -> None:
    settings = replace(settings, ingester_inbound_token=Secret("right"))
    app = ingester_application(assemble(settings, clock=mailroom.services.clock))
    routes = [route for route in list_routes(app) if route.rule.door is not Door.PUBLIC]
    assert {str(route) for route in routes} == set(CALLBACKS), "say in tests/web/victim.py"
    minted = await mailroom.services.keys.create(
        COMMAND_LINE, mailroom.mailbox.tenant_id, sorted(SCOPES)
    )
    async with serving(app) as client:
        for authorization in ("", "Bearer wrong", "right", f"Bearer {minted.key}"):
            headers = {"authorization": authorization, "cookie": "pillarbox=right"}
            for route in routes:
                for body in (CALLBACKS[str(route)], {}):
                    answer = await client.request(
                        route.method, route.path, headers=headers, json=body
                    )
                    assert answer.status_code == 401, f"{route}: {answer.text}"
        assert not await mailroom.drain.take_what_is_there()
        for route in routes:
            body = CALLBACKS[str(route)]
            headers = {"authorization": "Bearer right"}
            answer = await client.request(route.method, route.path, headers=headers, json=body)
            assert answer.is_success, f"{route}: {answer.text}"
