"""Calls for a person: on whichever live page they look at, and only for who can help."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from uuid import UUID, uuid4

import pytest
from litestar import Request
from mailroom import Mailroom

from app.access.browser import Browser
from app.access.grants import SYSTEM, Grant
from app.access.permissions import ROLE_PERMISSIONS
from app.access.sessions import SignInMethod
from app.eventlog.event import NewEvent
from app.eventlog.read import EventFilter, last_position
from app.eventlog.types import EventType
from app.inbox.listing import Access
from app.inbox.sidebar import Counts
from app.inbox.view import Folder, View
from app.web.assets import STATIC_FOLDER, Assets
from app.web.calls import types_of_calls
from app.web.pages.events import EventPages
from app.web.pages.lists import ListPages
from app.web.rendering import create_environment

DOMAIN = UUID(int=7)
MAIL = b"From: a@example.org\r\nSubject: hello\r\n\r\nHi\r\n"


async def happen(mailroom: Mailroom) -> int:
    """A mail; then one is held back, and a domain of ours and one of others are suspended; then a
    mail again. The position before all of it."""
    services, tenant_id = mailroom.services, mailroom.mailbox.tenant_id
    before = await last_position(services.database)
    await mailroom.spool(MAIL)
    await mailroom.take_in()
    async with services.log.transaction() as transaction:
        for kind, tenant, subject in (
            (EventType.MESSAGE_QUARANTINED, tenant_id, ("spool_item", uuid4())),
            (EventType.DOMAIN_SUSPENDED, tenant_id, ("domain", DOMAIN)),
            (EventType.DOMAIN_SUSPENDED, uuid4(), ("domain", uuid4())),
        ):
            transaction.tell(NewEvent(kind, trace_id=uuid4(), subject=subject, tenant_id=tenant))
    await mailroom.spool(MAIL + b"again")
    await mailroom.take_in()
    return before


def follow_inbox(mailroom: Mailroom, grant: Grant, after: int) -> AsyncIterator[bytes]:
    """That of one mailbox: calls are of none, and come all the same."""
    services = mailroom.services
    lists = ListPages(
        services.database,
        services.feed,
        create_environment(services.clock, Assets.of(STATIC_FOLDER)),
    )
    view = View(folder=Folder.INBOX)

    async def describe() -> Mapping[str, object]:
        return {"base_url": "/inbox", "counts": Counts(1), "view": view}

    access = Access(grant.tenant_id, [mailroom.mailbox.id])
    request = Request({"type": "http", "headers": []})  # type: ignore[arg-type]
    stream = lists.stream(request, access, view, after, describe, types_of_calls(grant))
    return stream.iterator  # type: ignore[return-value]


async def follow_events(mailroom: Mailroom, grant: Grant, after: int) -> AsyncIterator[bytes]:
    """Narrowed to mail that arrives: calls come all the same."""
    services = mailroom.services
    user = await services.users.add("owner@example.test", grant.tenant_id, "owner")
    async with services.log.transaction() as transaction:
        token = await services.sessions.open(
            transaction, user.id, Browser("test"), SignInMethod.OPERATOR
        )
    session = (await services.sessions.find(token)).session
    pages = EventPages(
        services.database,
        services.mailboxes,
        services.feed,
        create_environment(services.clock, Assets.of(STATIC_FOLDER)),
        services.clock,
    )
    wanted = EventFilter(grant.tenant_id, types=[EventType.INGEST_RECEIVED])
    async for chunk in pages.follow(grant, services.sessions, session, wanted, after):
        yield chunk


@pytest.mark.parametrize("follow", [follow_inbox, follow_events])
@pytest.mark.parametrize(
    ("role", "called"),
    [("admin", ["message-quarantined", "domain-suspended"]), ("agent", []), ("viewer", [])],
)
async def test_call_comes_in_its_place_for_who_can_help(
    mailroom: Mailroom, follow: object, role: str, called: Sequence[str]
) -> None:
    grant = Grant(SYSTEM, mailroom.mailbox.tenant_id, ROLE_PERMISSIONS[role])
    after = await happen(mailroom)
    told = ""
    async with aclosing(follow(mailroom, grant, after)) as stream:  # type: ignore[operator]
        async for chunk in stream:
            told += chunk.decode()
            if told.count('class="row') == 2:
                break
    assert re.findall(r'id="call-([a-z-]+)"', told) == called
    assert (f'href="/admin/domains/{DOMAIN}"' in told) is bool(called)
    positions = [int(found) for found in re.findall(r"^id: (\d+)$", told, re.MULTILINE)]
    assert positions == sorted(set(positions))
