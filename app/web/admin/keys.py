"""API keys of the tenant: making, rotating and revoking them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import Request, Router, get, post
from litestar.datastructures import FormMultiDict
from litestar.params import FromPath
from litestar.response import Redirect, Template

from app.access.grants import Grant
from app.access.keys import ApiKeys
from app.access.permissions import Permission
from app.access.sessions import Session
from app.core.clock import Clock
from app.core.errors import InvalidInput
from app.directory.domain_names import list_receiving_domains
from app.directory.mailboxes import Mailboxes
from app.storage.db.database import Database
from app.web.admin.mailbox_choice import (
    offer_mailboxes,
    read_ids,
    read_mailboxes,
    ticked_ids,
)
from app.web.admin.page import (
    REFUSED,
    AdminPages,
    Done,
    Words,
    describe_done,
    redirect_done,
    wants_rows_only,
)
from app.web.given import Given
from app.web.guards import allow
from app.web.parameters import Cursor

_HERE = "/admin/keys"
_DONE = {"revoked": "The key works no more."}


@dataclass(frozen=True, slots=True)
class ScopeWords:
    """A scope as people say it."""

    scope: Permission
    does: str
    hint: str = ""


SCOPE_WORDS = (
    ScopeWords(Permission.MESSAGES_READ, "Read mail", "Lists, messages, attachments and search."),
    ScopeWords(Permission.MESSAGES_WRITE, "Sort mail", "Archive, label, star and delete it."),
    ScopeWords(Permission.EMAILS_SEND, "Send mail"),
    ScopeWords(Permission.EVENTS_READ, "Follow events", "Everything that happens, as it happens."),
    ScopeWords(Permission.MAILBOXES_READ, "See mailboxes"),
    ScopeWords(Permission.MAILBOXES_WRITE, "Add and remove mailboxes"),
    ScopeWords(Permission.DOMAINS_READ, "See domains"),
    ScopeWords(Permission.DOMAINS_WRITE, "Add and remove domains"),
    ScopeWords(Permission.WEBHOOKS_READ, "See webhooks", "And what was delivered to them."),
    ScopeWords(Permission.WEBHOOKS_WRITE, "Add, change and remove webhooks"),
    ScopeWords(Permission.ADMIN, "Administer", "Users, other keys, the audit log, quarantine."),
)
_AT_FIRST = frozenset({Permission.MESSAGES_READ, Permission.MAILBOXES_READ})
_LIVES: Mapping[str, tuple[str, timedelta | None]] = {
    "30": ("For 30 days", timedelta(days=30)),
    "90": ("For 90 days", timedelta(days=90)),
    "365": ("For a year", timedelta(days=365)),
    "": ("Until somebody revokes it", None),
}
_OVERLAPS: Mapping[str, tuple[str, timedelta]] = {
    "day": ("For one more day", timedelta(days=1)),
    "week": ("For one more week", timedelta(days=7)),
    "none": ("Not any more", timedelta()),
}


@get("/")
async def show_keys(
    request: Request[Any, Any, Any],
    session: Given[Session],
    admin_pages: Given[AdminPages],
    keys: Given[ApiKeys],
    q: Words = "",
    cursor: Cursor = None,
    done: Done = "",
) -> Template:
    page = await keys.list(session.tenant_id, q, cursor=cursor)
    context: dict[str, Any] = {
        "rows": page.rows,
        "next_cursor": page.next_cursor,
        "q": q,
        "scope_words": _words_by_scope(),
    }
    if wants_rows_only(request, cursor):
        return Template("admin/keys/_rows.html", context=context)
    notice = describe_done(done, _DONE)
    return admin_pages.show(session, "keys/list", **context, notice=notice)


@get("/new")
async def show_new_key(
    session: Given[Session], admin_pages: Given[AdminPages], database: Given[Database]
) -> Template:
    return await _show_form(session, admin_pages, database, FormMultiDict([]))


@post("/", status_code=201)
async def make_key(
    request: Request[Any, Any, Any],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    database: Given[Database],
    clock: Given[Clock],
    keys: Given[ApiKeys],
    mailboxes: Given[Mailboxes],
) -> Template:
    """The answer shows the key, this once; no address ever does."""
    form = await request.form()
    try:
        lives = _read_choice(form, "lives", _LIVES)
        minted = await keys.create(
            grant.actor,
            grant.tenant_id,
            [str(scope) for scope in form.getall("scopes", [])],
            name=str(form.get("name", "")),
            domain_ids=read_ids(form, "domain_ids"),
            mailbox_ids=await read_mailboxes(form, mailboxes, grant.tenant_id),
            expires_at=clock.now() + lives if lives else None,
        )
    except REFUSED as error:
        return await _show_form(session, admin_pages, database, form, str(error))
    key = await keys.find(grant.tenant_id, minted.id)
    return admin_pages.show(
        session, "keys/made", status_code=201, key=key, secret=minted.key, old=None
    )


@get("/{key_id:uuid}")
async def show_key(
    key_id: FromPath[UUID],
    session: Given[Session],
    admin_pages: Given[AdminPages],
    keys: Given[ApiKeys],
) -> Template:
    key = await keys.find(session.tenant_id, key_id)
    return admin_pages.show(session, "keys/show", key=key, scope_words=_words_by_scope())


@get("/{key_id:uuid}/rotate")
async def ask_to_rotate_key(
    key_id: FromPath[UUID],
    session: Given[Session],
    admin_pages: Given[AdminPages],
    keys: Given[ApiKeys],
) -> Template:
    key = await keys.find(session.tenant_id, key_id)
    return admin_pages.show(session, "keys/rotate", key=key, overlaps=_OVERLAPS)


@post("/{key_id:uuid}/rotate", status_code=201)
async def rotate_key(
    request: Request[Any, Any, Any],
    key_id: FromPath[UUID],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    keys: Given[ApiKeys],
) -> Template:
    old = await keys.find(session.tenant_id, key_id)
    try:
        overlap = _read_choice(await request.form(), "overlap", _OVERLAPS)
        minted = await keys.rotate(grant.actor, grant.tenant_id, key_id, overlap)
    except InvalidInput as error:
        return admin_pages.show(
            session,
            "keys/rotate",
            status_code=400,
            key=old,
            overlaps=_OVERLAPS,
            wrong=str(error),
        )
    key = await keys.find(grant.tenant_id, minted.id)
    old = await keys.find(grant.tenant_id, key_id)
    return admin_pages.show(
        session, "keys/made", status_code=201, key=key, secret=minted.key, old=old
    )


@get("/{key_id:uuid}/revoke")
async def ask_to_revoke_key(
    key_id: FromPath[UUID],
    session: Given[Session],
    admin_pages: Given[AdminPages],
    keys: Given[ApiKeys],
) -> Template:
    key = await keys.find(session.tenant_id, key_id)
    return admin_pages.show(session, "keys/revoke", key=key)


@post("/{key_id:uuid}/revoke")
async def revoke_key(key_id: FromPath[UUID], grant: Given[Grant], keys: Given[ApiKeys]) -> Redirect:
    await keys.revoke(grant.actor, grant.tenant_id, key_id)
    return redirect_done(_HERE, "revoked")


async def _show_form(
    session: Session,
    admin_pages: AdminPages,
    database: Database,
    form: FormMultiDict,
    wrong: str = "",
) -> Template:
    """The empty form, or one that was sent, with what was wrong with it."""
    scopes = form.getall("scopes", []) if wrong else _AT_FIRST
    return admin_pages.show(
        session,
        "keys/new",
        status_code=400 if wrong else 200,
        wrong=wrong,
        name=str(form.get("name", "")),
        scopes=frozenset(map(str, scopes)),
        scope_words=SCOPE_WORDS,
        lives=_LIVES,
        chosen_life=str(form.get("lives", "365")),
        domains=await list_receiving_domains(database, session.tenant_id),
        domain_ids=frozenset(map(str, form.getall("domain_ids", []))),
        choice=await offer_mailboxes(
            database,
            session.tenant_id,
            ticked_ids(form, "mailbox_ids"),
            str(form.get("others", "")),
        ),
    )


def _read_choice(form: FormMultiDict, name: str, choices: Mapping[str, tuple[str, Any]]) -> Any:
    """Raises `InvalidInput`."""
    try:
        return choices[str(form.get(name, ""))][1]
    except KeyError as error:
        raise InvalidInput("Choose one of what is offered.") from error


def _words_by_scope() -> Mapping[str, str]:
    return {words.scope.value: words.does for words in SCOPE_WORDS}


admin_keys_router = Router(
    _HERE,
    route_handlers=[
        *(show_keys, show_new_key, make_key, show_key),
        *(ask_to_rotate_key, rotate_key, ask_to_revoke_key, revoke_key),
    ],
    opt=allow(Permission.ADMIN),
)
