"""Changing messages from a list or their page: archive, star, label and the like, and undo.

A form without JavaScript comes back to its list with a notice; htmx is sent the rows that changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from litestar import Request, post
from litestar.datastructures import FormMultiDict
from litestar.params import FromPath
from litestar.response import Redirect, Template

from app.access.grants import Grant
from app.access.permissions import Permission
from app.access.sessions import Session
from app.core.errors import InvalidInput
from app.inbox.actions import MAX_MESSAGES, Action, Actions, Outcome
from app.inbox.labels import Labels
from app.inbox.listing import find_rows, list_messages, shows
from app.inbox.sidebar import read_counts
from app.storage.db.database import Database
from app.web.access import readable
from app.web.cookies import SessionCookies
from app.web.given import Given
from app.web.guards import allow
from app.web.pages.lists import read_view
from app.web.rendering import count

_UNDONE = "undone"
# What was done to "3 messages", as the notice says it.
_WORDS: Mapping[str, str] = {
    _UNDONE: "put back",
    Action.ARCHIVE: "archived",
    Action.INBOX: "moved to the inbox",
    Action.SPAM: "moved to spam",
    Action.NOT_SPAM: "moved to the inbox",
    Action.TRASH: "moved to the trash",
    Action.READ: "marked as read",
    Action.UNREAD: "marked as unread",
    Action.STAR: "starred",
    Action.UNSTAR: "no longer starred",
    Action.LABEL: "labelled",
    Action.UNLABEL: "without the label now",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """What was done, and how to take it back if that is possible."""

    text: str
    undo_id: UUID | None


@post("/actions", status_code=200, opt=allow(Permission.MESSAGES_WRITE))
async def act(
    request: Request[Any, Any, Any],
    grant: Given[Grant],
    session: Given[Session],
    session_cookies: Given[SessionCookies],
    database: Given[Database],
    actions: Given[Actions],
    labels: Given[Labels],
) -> Template | Redirect:
    """`action` on every message of `ids`; or on one, from a button that is called as the action
    and has the message's id for a value. `label_id` says which label, or `name` a new one."""
    form = await request.form()
    access = readable(grant)
    action, message_ids = _read_action(form)
    label_id = None
    if action in (Action.LABEL, Action.UNLABEL):
        label_id = await _read_label(form, labels, grant.tenant_id)
    outcome = await actions.apply(access, session.user_id, action, message_ids, label_id)
    return await _answer(
        request, grant, session, session_cookies, database, form, action.value, outcome
    )


@post("/undo/{undo_id:uuid}", status_code=200, opt=allow(Permission.MESSAGES_WRITE))
async def undo(
    request: Request[Any, Any, Any],
    undo_id: FromPath[UUID],
    grant: Given[Grant],
    session: Given[Session],
    session_cookies: Given[SessionCookies],
    database: Given[Database],
    actions: Given[Actions],
) -> Template | Redirect:
    form = await request.form()
    outcome = await actions.undo(readable(grant), session.user_id, undo_id)
    return await _answer(request, grant, session, session_cookies, database, form, _UNDONE, outcome)


@post("/labels/{label_id:uuid}/delete", opt=allow(Permission.MESSAGES_WRITE))
async def delete_label(
    label_id: FromPath[UUID], grant: Given[Grant], labels: Given[Labels]
) -> Redirect:
    """The word goes, the messages that had it stay."""
    await labels.remove(grant.tenant_id, label_id)
    return Redirect("/inbox", status_code=303)


def describe_notice(values: Mapping[str, str]) -> Notice | None:
    """What the address of a list says was just done; None when it says nothing of the kind."""
    try:
        done, changed = values.get("done", ""), int(values.get("changed", ""))
        undo_id = UUID(values["undo"]) if "undo" in values else None
    except ValueError:
        return None
    words = _WORDS.get(done)
    if words is None or not 0 <= changed <= MAX_MESSAGES:
        return None
    text = f"{count(changed, 'message')} {words}." if changed else "Nothing had to be changed."
    return Notice(text, undo_id)


def _read_action(form: FormMultiDict) -> tuple[Action, Sequence[UUID]]:
    """Raises `InvalidInput`."""
    name, ids = str(form.get("action", "")), form.getall("ids", [])
    for action in Action:
        if action.value in form:
            name, ids = action.value, [form[action.value]]
    try:
        return Action(name), [UUID(str(message_id)) for message_id in ids]
    except ValueError as error:
        raise InvalidInput("This form asks for something that cannot be done.") from error


async def _read_label(form: FormMultiDict, labels: Labels, tenant_id: UUID) -> UUID:
    """Raises `InvalidInput`."""
    name = str(form.get("name", ""))
    if name.strip():
        return (await labels.ensure(tenant_id, name)).id
    try:
        return UUID(str(form.get("label_id", "")))
    except ValueError as error:
        raise InvalidInput("Choose a label, or write the name of a new one.") from error


async def _answer(
    request: Request[Any, Any, Any],
    grant: Grant,
    session: Session,
    session_cookies: SessionCookies,
    database: Database,
    form: FormMultiDict,
    done: str,
    outcome: Outcome,
) -> Template | Redirect:
    back = str(form.get("back", ""))
    view = read_view(dict(parse_qsl(back)))
    facts = {"done": done, "changed": str(len(outcome.message_ids))}
    if outcome.undo_id:
        facts["undo"] = str(outcome.undo_id)
    if request.headers.get("hx-request") != "true":
        query = "&".join(filter(None, (view.query(), urlencode(facts))))
        return Redirect(f"/inbox?{query}", status_code=303)
    access = readable(grant)
    context = {
        "notice": describe_notice(facts),
        "counts": await read_counts(database, grant.tenant_id),
        "base_url": "/inbox",
        "view": view,
        "csrf_token": session_cookies.csrf_token(session),
        "may_write": True,
    }
    if done == _UNDONE:
        # Rows come back to where they were, which only the whole list shows.
        page = await list_messages(database, access.narrow(view.mailbox_id), view)
        again = {"rows": page.rows, "next_cursor": page.next_cursor}
        return Template("messages/_again.html", context={**context, **again})
    found = await find_rows(database, access, outcome.message_ids)
    rows = [row for row in found if shows(view, row)]
    gone = set(outcome.message_ids) - {row.id for row in rows}
    return Template("messages/_changes.html", context={**context, "rows": rows, "gone": gone})
