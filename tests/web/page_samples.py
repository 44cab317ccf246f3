"""Every page with the values a handler gives it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from admin_samples import make_admin_pages
from domain_page_samples import make_domain_pages
from event_page_samples import make_event_pages
from markupsafe import Markup
from msgspec import structs
from trace_page_samples import make_trace_pages
from webhook_page_samples import make_webhook_pages

from app.access.sessions import SessionView, SignInMethod, TenantChoice
from app.access.sign_in_policy import SignInPolicy
from app.access.sso_connections import SsoConnection
from app.inbox.listing import LabelView, MessageRow
from app.inbox.reading import AttachmentView, MessageView
from app.inbox.refused import RefusedRow
from app.inbox.sidebar import Counts, MailboxView
from app.inbox.temporary import TemporaryInbox
from app.inbox.view import Folder, View
from app.mime.file_dangers import Danger
from app.search.saved import SavedSearch
from app.web.api.reference import Field, Operation, Reference, Refusal, Subject
from app.web.assets import STATIC_FOLDER, Assets
from app.web.pages.actions import Notice
from app.web.pages.outbox import OutboxRow
from app.web.problems import KINDS
from app.web.refusal_wording import explain_refusal
from app.web.role_wording import ROLE_WORDS

ASSETS = Assets.of(STATIC_FOLDER)
NOW = datetime(2026, 11, 22, 6, 37, 12, tzinfo=UTC)
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e'


class FixedClock:
    def now(self) -> datetime:
        return NOW


@dataclass(frozen=True, slots=True)
class Page:
    name: str
    template: str
    context: Mapping[str, Any]


def make_row(**changes: Any) -> MessageRow:
    row = MessageRow(
        id=uuid4(),
        mailbox_id=UUID(int=7),
        mailbox_address="support@acme.example",
        from_name="Ada Lovelace",
        from_address="ada@analytical.example",
        to="Charles Babbage <charles@difference.example>",
        subject="Notes on the engine, part G",
        snippet="I have worked the numbers through twice now and the table holds; the error was "
        "in the third operation, where the engine must carry before it divides",
        received_at=NOW - timedelta(minutes=5),
        is_read=False,
        is_starred=False,
        folder="inbox",
        attachment_count=2,
        size_bytes=4321,
        sha256=b"\0" * 32,
        ticket_id=None,
        labels=(),
    )
    return structs.replace(row, **changes)


def make_hostile_row() -> MessageRow:
    return make_row(
        from_name=HOSTILE,
        from_address=HOSTILE,
        to=HOSTILE,
        subject=HOSTILE,
        snippet=HOSTILE,
        labels=(LabelView(UUID(int=8), HOSTILE, "red"),),
    )


def make_message(row: MessageRow, **changes: Any) -> MessageView:
    attachments = [
        AttachmentView(uuid4(), name, kind, 1500, is_inline=False, content_id="", storage_key="k")
        for name, kind in (("notes.pdf", "application/pdf"), (HOSTILE, HOSTILE), ("", ""))
    ]
    values = {name: getattr(row, name) for name in MessageRow.__struct_fields__}
    values |= {
        "tenant_id": UUID(int=1),
        "trace_id": UUID(int=2),
        "cc": HOSTILE,
        "date": NOW - timedelta(hours=1),
        "is_variant": False,
        "text": HOSTILE,
        "html": "<p>Hello</p>",
        "attachments": attachments,
    }
    return MessageView(**{**values, **changes})


INBOX = TemporaryInbox(
    mailbox_id=UUID(int=7),
    tenant_id=UUID(int=1),
    address="kx7wq2mdhz4r@pillarbox.test",
    token="tok",
    expires_at=NOW + timedelta(minutes=58),
    last_expires_at=NOW + timedelta(hours=23),
    message_count=3,
)
_FULL_INBOX = replace(
    INBOX,
    expires_at=INBOX.last_expires_at,
    message_count=20_000,
    discarded_count=2,
    is_full=True,
)
_BUSY_INBOX = replace(INBOX, discarded_count=1, busy_until=NOW + timedelta(minutes=20))
_TEMPORARY = {"base_url": "/t/tok"}
_TEMPORARY_LIST = {
    **_TEMPORARY,
    "inbox": INBOX,
    "smtp_address": "127.0.0.1:2525",
    "rows": [],
    "next_cursor": None,
    "position": 5,
}
_SIGNED_IN = {
    "base_url": "/inbox",
    "signed_in_as": "ada@acme.example",
    "csrf_token": "proof",
    "may_write": True,
}
LABELS = (
    LabelView(UUID(int=11), "Bills", "amber"),
    LabelView(UUID(int=12), "Travel", "blue"),
    LabelView(UUID(int=13), HOSTILE, "grey"),
)
MAILBOXES = (
    MailboxView(UUID(int=7), "support@acme.example"),
    MailboxView(UUID(int=9), "sales@acme.example"),
)
_SIGNED_IN_LIST = {
    **_SIGNED_IN,
    "rows": [],
    "next_cursor": None,
    "position": 5,
    "view": View(folder=Folder.INBOX),
    "title": "Inbox",
    "mailboxes": MAILBOXES,
    "labels": LABELS,
    "counts": Counts(12),
    "mailbox_address": None,
    "tenant_name": HOSTILE,
    "notice": None,
}
_MESSAGE = {
    "shown": "html",
    "html": "<p>Hello</p>",
    "blocked_images": 3,
    "pictures": False,
    "attachments": (),
    "previous_id": None,
    "next_id": None,
    "is_fragment": False,
    "is_printed": False,
}


def _rows(number: int) -> list[MessageRow]:
    return [make_hostile_row(), *(make_row(is_read=n % 2 == 0) for n in range(number - 1))]


EMPTY_VIEWS = {
    "Inbox": View(folder=Folder.INBOX),
    "Unread": View(folder=Folder.INBOX, unread=True),
    "Starred": View(starred=True),
    "Archive": View(folder=Folder.ARCHIVE),
    "Spam": View(folder=Folder.SPAM),
    "Trash": View(folder=Folder.TRASH),
    "All mail": View(folder="all"),
    "Bills": View(label_id=UUID(int=11)),
}


def make_pages() -> list[Page]:
    row = make_hostile_row()
    message = make_message(row)
    bare = make_message(make_row(from_name="", from_address="", subject=""), html="", text="")
    attachments = list(zip(message.attachments, Danger, strict=False))
    shown = {**_TEMPORARY, **_MESSAGE, "message": message, "attachments": attachments}
    headers = [("Subject", HOSTILE), ("X-Long", "x" * 900)]
    return [
        Page("start", "start/index.html", {"ttl_seconds": 3600}),
        Page("temporary, empty", "temporary/list.html", _TEMPORARY_LIST),
        Page("temporary", "temporary/list.html", {**_TEMPORARY_LIST, "rows": _rows(50)}),
        Page("temporary, full", "temporary/list.html", {**_TEMPORARY_LIST, "inbox": _FULL_INBOX}),
        Page("temporary, busy", "temporary/list.html", {**_TEMPORARY_LIST, "inbox": _BUSY_INBOX}),
        Page(
            "temporary, older",
            "temporary/list.html",
            {**_TEMPORARY_LIST, "rows": _rows(3), "next_cursor": "a=&b", "position": None},
        ),
        *(
            Page(
                f"inbox, empty {name}",
                "inbox/list.html",
                {**_SIGNED_IN_LIST, "view": view, "title": name, "counts": Counts(0)},
            )
            for name, view in EMPTY_VIEWS.items()
        ),
        Page(
            "inbox",
            "inbox/list.html",
            {**_SIGNED_IN_LIST, "rows": _rows(50), "next_cursor": "a=&b"},
        ),
        Page(
            "inbox, one mailbox",
            "inbox/list.html",
            {
                **_SIGNED_IN_LIST,
                "rows": _rows(2),
                "next_cursor": "a=&b",
                "view": View(mailbox_id=UUID(int=7), folder=Folder.INBOX),
                "mailbox_address": "support@acme.example",
                "notice": Notice("3 messages archived.", UUID(int=21)),
            },
        ),
        Page(
            "inbox, older",
            "inbox/list.html",
            {
                **_SIGNED_IN_LIST,
                "rows": _rows(2),
                "position": None,
                "view": View(folder=Folder.SPAM),
                "labels": (),
                "mailboxes": MAILBOXES[:1],
                "notice": Notice("Nothing had to be changed.", None),
            },
        ),
        Page("message", "messages/show.html", shown),
        Page("message, large", "messages/show.html", {**shown, "html": None}),
        Page("message, pictures", "messages/show.html", {**shown, "pictures": True}),
        Page(
            "message, headers",
            "messages/show.html",
            {**shown, "shown": "headers", "headers": headers, "raw_headers": HOSTILE},
        ),
        Page(
            "message, text",
            "messages/show.html",
            {
                **_SIGNED_IN,
                **_MESSAGE,
                "message": message,
                "view": View(folder="archive"),
                "attachments": attachments,
                "shown": "text",
                "written": HOSTILE,
                "quoted": HOSTILE,
                "previous_id": uuid4(),
                "next_id": uuid4(),
            },
        ),
        Page(
            "message, bare",
            "messages/show.html",
            {**_TEMPORARY, **_MESSAGE, "message": bare, "shown": "text", "blocked_images": 0},
        ),
        Page("sign in", "sign_in/confirm.html", {"token": "tok"}),
        *(
            Page(f"sign in, {state}", "sign_in/ask.html", {**_ASK, "state": state})
            for state in ("new", "no_address")
        ),
        Page("sign in, not set up", "sign_in/ask.html", {**_ASK, "is_set_up": False}),
        Page("sign in, elsewhere", "sign_in/elsewhere.html", {}),
        *(
            Page(
                f"code, {state}, {left} left",
                "sign_in/code.html",
                {**_CODE, "state": state, "tries_left": left},
            )
            for state, left in (("asked", 0), ("wrong", 4), ("wrong", 1), ("wrong", 0), ("over", 0))
        ),
        Page("provider", "sign_in/sso.html", {**_PROVIDER, "url": _PROVIDER_URL}),
        Page("provider, no mail", "sign_in/sso.html", {**_PROVIDER, "allows_mail": False}),
        Page("provider refused", "sign_in/sso_failed.html", {"reason": "It did not."}),
        Page("link refused", "sign_in/refused.html", {}),
        Page("signed out", "sign_in/signed_out.html", {}),
        Page("signed out, not there", "sign_in/signed_out.html", _SIGNED_OUT),
        *_make_sign_in_settings(),
        *_make_search_pages(),
        *(
            Page(f"error {status}", "errors/problem.html", _error(status))
            for status in (400, 403, 404, 405, 429, 500, 502, 503)
        ),
        *_make_settings_pages(),
        *(Page(*sample) for sample in make_admin_pages()),
        *(Page(*page) for page in make_domain_pages(NOW, HOSTILE, _SIGNED_IN)),
        *(Page(*page) for page in make_event_pages(NOW, HOSTILE, _SIGNED_IN_LIST, row)),
        *(Page(*page) for page in make_trace_pages(_SIGNED_IN)),
        *(Page(*page) for page in make_webhook_pages(NOW, HOSTILE, _SIGNED_IN)),
    ]


_ASK = {
    "state": "new",
    "next_path": '/inbox?"><script>alert(1)</script>',
    "is_set_up": True,
}
_PROVIDER_URL = "https://login.acme.example/authorize?a=1&b=2"
_PROVIDER = {
    "url": "",
    "email": HOSTILE,
    "next_path": _ASK["next_path"],
    "host": "login.acme.example",
    "allows_mail": True,
}
_SIGNED_OUT = {"logout_url": _PROVIDER_URL, "logout_host": "login.acme.example"}
_CODE = {"shows_outbox": True, "minutes": 15, "digits": 6}


def _make_sign_in_settings() -> list[Page]:
    provider = SsoConnection(
        UUID(int=1),
        issuer=HOSTILE,
        client_id=HOSTILE,
        role_claim=HOSTILE,
        default_role="agent",
        domain_ids=(UUID(int=2),),
    )
    context = {
        **_SIGNED_IN,
        "here": "settings",
        "policy": SignInPolicy(admin_networks=("192.0.2.0/24", "2001:db8::/32")),
        "provider": None,
        "roles": "",
        "domains": (),
        "outside": (),
        "may_have_provider": False,
        "came_by_provider": False,
        "redirect_uri": "https://mail.acme.example/sign-in/sso",
        "wrong": "",
    }
    set_up = {
        **context,
        "may_have_provider": True,
        "provider": provider,
        "roles": "<b> = admin",
        "domains": [(UUID(int=2), "acme.example"), (UUID(int=3), "other.example")],
        "outside": [HOSTILE, "bo@else.example"],
        "wrong": "That did not work.",
    }
    asked = {
        **_SIGNED_IN,
        "here": "settings",
        "address": "203.0.113.7",
        "networks": ["192.0.2.0/24"],
    }
    return [
        Page("sign-in settings", "admin/settings/sign_in.html", context),
        Page("sign-in settings, provider", "admin/settings/sign_in.html", set_up),
        Page("lock yourself out", "admin/settings/confirm_networks.html", asked),
        Page("remove the provider", "admin/settings/remove_provider.html", asked),
    ]


_REFUSALS = {
    **_SIGNED_IN,
    "rows": (),
    "next_cursor": None,
    "filters": "",
    "q": "",
    "since": "",
    "periods": {"": "At any time", "day": "In the last 24 hours"},
}


def make_refused(**changes: Any) -> RefusedRow:
    row = RefusedRow(
        id=uuid4(),
        trace_id=uuid4(),
        refused_at=NOW - timedelta(minutes=5),
        client_address="192.0.2.1",
        client_name=HOSTILE,
        mail_from=HOSTILE,
        recipient=HOSTILE,
        code=550,
        enhanced_code="5.1.1",
        cause="unknown_recipient",
        reply=HOSTILE,
        sampled_out=0,
    )
    return replace(row, **changes)


def _make_settings_pages() -> list[Page]:
    tenants = [
        TenantChoice(UUID(int=number), name, role, number == 1)
        for number, (name, role) in enumerate(
            (("Acme", "owner"), ("Öl & Söhne", "viewer"), ("<b>Bold</b>", "agent"))
        )
    ]
    sessions = [
        SessionView(
            *(UUID(int=number), HOSTILE, method, "192.0.2.1"),
            *(NOW - timedelta(days=30), NOW, number == 1),
        )
        for number, method in enumerate(SignInMethod, 1)
    ]
    row = OutboxRow(UUID(int=1), HOSTILE, HOSTILE, NOW)
    mail = {"row": row, "from_": HOSTILE, "text": HOSTILE, "has_html": True, "link": "/sign-in/x"}
    return [
        *(
            Page(
                f"sessions, {number}",
                "settings/sessions.html",
                {
                    **_SIGNED_IN,
                    "sessions": [(view, "A browser") for view in sessions[:number]],
                },
            )
            for number in (1, 3)
        ),
        *(
            Page(
                f"account, {number}",
                "settings/show.html",
                {**_SIGNED_IN, "tenants": tenants[:number], "roles": ROLE_WORDS},
            )
            for number in (1, 3)
        ),
        Page("refusals, none", "refusals/list.html", _REFUSALS),
        Page("refusals, not found", "refusals/list.html", {**_REFUSALS, "filters": "q=x"}),
        Page(
            "refusals",
            "refusals/list.html",
            {
                **_REFUSALS,
                "rows": [
                    (row, explain_refusal(row.cause, is_temporary=row.is_temporary))
                    for row in (make_refused(), make_refused(cause="new", sampled_out=7))
                ],
                "filters": "q=%3C",
                "q": HOSTILE,
                "since": "day",
                "next_cursor": "a=&b",
            },
        ),
        Page("API", "api/docs.html", {"reference": _make_reference(), "problems": KINDS}),
        Page("outbox, empty", "outbox/list.html", {"rows": []}),
        Page("outbox", "outbox/list.html", {"rows": [row, row]}),
        Page("outbox, mail", "outbox/show.html", mail),
        Page("outbox, bare mail", "outbox/show.html", {**mail, "has_html": False, "link": ""}),
    ]


def _make_reference() -> Reference:
    """It is made of our own words, in which markup may well be spoken of."""
    markup = HOSTILE.rstrip("\u202e")
    fields = [Field(markup, place, "text", True, markup) for place in ("path", "query", "header")]
    operation = Operation(
        *("showIt", "GET", "/messages/{id}", markup, markup, "messages:read"),
        parameters=fields,
        body=[Field("is_read", "body", "boolean", False, "")],
        curl=markup,
        status=200,
        answer=markup,
        answer_text="",
        refusals=[Refusal(404, [("not-found", "Nothing here")])],
    )
    empty = replace(operation, id="removeIt", method="DELETE", status=204, answer="", refusals=[])
    return Reference(
        "Pillarbox",
        "https://mail.example/api/v1",
        ["Send `Authorization: Bearer KEY`.", markup],
        [Subject("messages", markup, [operation, empty])],
    )


_SEARCH = {
    **_SIGNED_IN,
    "q": "",
    "search_mailbox": None,
    "rows": (),
    "next_cursor": None,
    "is_empty": True,
    "understood": (),
    "notes": (),
    "saved": (),
    "is_saved": False,
    "examples": (("from:ada@acme.example", "mail from one person"),),
}


def _make_search_pages() -> list[Page]:
    saved = [SavedSearch(uuid4(), name, HOSTILE) for name in ("Unpaid bills", HOSTILE)]
    marked = make_row(
        from_name=Markup("<mark>Ada</mark> Lovelace"),
        subject=Markup("Notes on the <mark>engine</mark> &amp; more"),
    )
    asked = {
        **_SEARCH,
        "q": f"ada {HOSTILE}",
        "is_empty": False,
        "understood": ("“ada”", HOSTILE),
        "notes": (HOSTILE,),
        "saved": saved,
    }
    return [
        Page("search, empty", "search/show.html", _SEARCH),
        Page("search, saved", "search/show.html", {**_SEARCH, "saved": saved}),
        Page(
            "search",
            "search/show.html",
            {**asked, "rows": [make_hostile_row(), marked], "next_cursor": "a=&b"},
        ),
        Page(
            "search, nothing found",
            "search/show.html",
            {**asked, "search_mailbox": MAILBOXES[0], "is_saved": True},
        ),
    ]


def _error(status: int) -> Mapping[str, Any]:
    return {"status": status, "detail": HOSTILE, "retry_after_seconds": 61 if status == 429 else 0}
