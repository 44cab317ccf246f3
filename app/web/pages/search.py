"""Searching one's own mail: the page, suggestions while typing, and searches that are kept."""

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Router, get, post
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Redirect, Template
from msgspec import structs

from app.access.grants import Grant
from app.access.permissions import Permission
from app.access.sessions import Session
from app.directory.mailboxes import Mailboxes
from app.inbox.listing import MessageRow
from app.search.documents import read_texts
from app.search.query import Field, Query
from app.search.saved import SavedSearches
from app.search.search import Search
from app.search.suggestions import Suggestions
from app.search.wording import describe_query
from app.storage.db.database import Database
from app.web.access import readable
from app.web.cookies import SessionCookies
from app.web.given import Given
from app.web.guards import allow
from app.web.highlighting import Marker
from app.web.parameters import Cursor
from app.web.rendering import keep_printable

_SNIPPET_CHARACTERS = 200
_EXAMPLES = (
    ("from:ada@example.com", "mail from one person, or from a whole domain with from:example.com"),
    ("subject:invoice has:attachment", "a word of the subject, with attachments"),
    ('"quarterly report" newer_than:1m', "these words in this order, not older than a month"),
    ("invoi* larger:5M", "words that begin so, in mail of at least 5 MB"),
    ("is:unread -label:newsletter", "unread, without a label"),
    ("(lunch OR dinner) after:2026/01/01", "either word, from a day on"),
    ("in:anywhere to:sales@example.com", "spam and trash as well"),
)

Words = Annotated[str, QueryParameter(name="q", max_length=4096)]


@get("/")
async def show_search(
    request: Request[Any, Any, Any],
    grant: Given[Grant],
    session: Given[Session],
    session_cookies: Given[SessionCookies],
    database: Given[Database],
    mailboxes: Given[Mailboxes],
    search: Given[Search],
    saved_searches: Given[SavedSearches],
    q: Words = "",
    cursor: Cursor = None,
    mailbox: FromQuery[UUID | None] = None,
) -> Template:
    """The whole page, or only its further rows when htmx asks for them."""
    access = readable(grant)
    only = await mailboxes.find_by_id(mailbox, session.tenant_id) if mailbox else None
    if only is not None:
        access = access.narrow(only.id)
    found = await search.find(access, q, cursor=cursor)
    context = {
        "base_url": "/inbox",
        "q": q,
        "search_mailbox": only,
        "rows": await _mark(database, found.rows, found.query),
        "next_cursor": found.next_cursor,
    }
    if cursor is not None and request.headers.get("hx-request") == "true":
        return Template("search/_results.html", context=context)
    saved = await saved_searches.list(session.tenant_id, session.user_id)
    return Template(
        "search/show.html",
        context={
            **context,
            "signed_in_as": session.email,
            "csrf_token": session_cookies.csrf_token(session),
            "is_empty": found.query.is_empty,
            "understood": describe_query(found.query),
            "notes": found.notes,
            "saved": saved,
            "is_saved": q.strip() in {search.query for search in saved},
            "examples": _EXAMPLES,
        },
    )


@get("/suggest")
async def suggest(
    grant: Given[Grant],
    session: Given[Session],
    suggestions: Given[Suggestions],
    q: Words = "",
) -> Template:
    """The options of the combobox, none when there is nothing to suggest."""
    found = await suggestions.suggest(readable(grant), session.user_id, q)
    return Template("search/_suggestions.html", context={"suggestions": found})


@post("/saved")
async def save_search(
    request: Request[Any, Any, Any],
    session: Given[Session],
    saved_searches: Given[SavedSearches],
) -> Redirect:
    form = await request.form()
    saved = await saved_searches.save(
        session.tenant_id, session.user_id, str(form.get("name", "")), str(form.get("query", ""))
    )
    return Redirect(f"/search?{urlencode({'q': saved.query})}", status_code=303)


@post("/saved/{search_id:uuid}/delete")
async def delete_search(
    search_id: FromPath[UUID],
    session: Given[Session],
    saved_searches: Given[SavedSearches],
) -> Redirect:
    await saved_searches.delete(session.tenant_id, session.user_id, search_id)
    return Redirect("/search", status_code=303)


async def _mark(
    database: Database, rows: Sequence[MessageRow], query: Query
) -> Sequence[MessageRow]:
    """The rows with what was found marked, and of each a part of its text in which it stands."""
    sender = Marker.of(query.words, Field.SENDER)
    subject = Marker.of(query.words, Field.SUBJECT)
    text = Marker.of(query.words)
    texts = await read_texts(database, [row.id for row in rows]) if text else {}
    marked = []
    for row in rows:
        snippet = row.snippet
        if not text.cut(snippet, 1):
            snippet = text.cut(texts.get(row.id, ""), _SNIPPET_CHARACTERS) or snippet
        name = keep_printable(row.from_name or row.from_address)
        marked.append(
            structs.replace(
                row,
                from_name=sender.mark(name),
                subject=subject.mark(keep_printable(row.subject)),
                snippet=text.mark(keep_printable(snippet)),
            )
        )
    return marked


# Searches are kept by each for themself: whoever reads may.
search_router = Router(
    "/search",
    route_handlers=[show_search, suggest, save_search, delete_search],
    opt=allow(Permission.MESSAGES_READ),
)
