"""Every page of an administrator with the values a handler gives it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from app.access.audit import AuditEntry, Verification
from app.access.grants import Actor
from app.access.keys import KeyState, KeyView
from app.access.users import Member
from app.directory.domain_names import DomainName
from app.directory.mailbox_rows import MailboxRow
from app.directory.overview import Overview
from app.directory.routes import Route, Target
from app.directory.tenants import Tenant, TenantRow
from app.eventlog.consumer_states import ConsumerState
from app.eventlog.parked import ParkedEvent
from app.eventlog.replays import Replay
from app.inbound.pipeline.quarantine_review import HeldItem
from app.inbound.pipeline.work import Queue, Work
from app.search.rebuilds import Progress
from app.storage.schedule_notes import LastRun
from app.storage.spool.port import Backlog
from app.web.admin.audit_wording import ACTION_GROUPS, describe_action, describe_facts
from app.web.admin.keys import SCOPE_WORDS
from app.web.admin.mailbox_choice import MailboxChoice
from app.web.role_wording import ROLE_WORDS

NOW = datetime(2026, 11, 22, 6, 37, 12, tzinfo=UTC)
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e'
ID = UUID(int=7)

_SIGNED_IN = {
    "signed_in_as": "ada@acme.example",
    "csrf_token": "proof",
    "granted": lambda _: frozenset(("admin", "owner", "operator")),
    "notice": None,
}
_EMPTY = {**_SIGNED_IN, "rows": (), "next_cursor": None, "q": ""}
_NOT_FOUND = {**_EMPTY, "q": HOSTILE, "filters": "q=x"}
_MORE = {"next_cursor": "a=&b", "q": HOSTILE, "filters": "q=%3C"}
_DOMAINS = [DomainName(ID, "acme.example"), DomainName(UUID(int=8), "b.example")]
_MAILBOXES = [
    MailboxRow(ID, "support@acme.example", HOSTILE, NOW, NOW),
    MailboxRow(UUID(int=8), "@acme.example", "", NOW, None),
]
_CHOICE = MailboxChoice(_MAILBOXES, True, {ID}, HOSTILE)
_ROUTE = Route(
    *(ID, UUID(int=1), "acme.example", "list-*", NOW),
    [Target(UUID(int=n), f"box{n}@acme.example") for n in range(5)],
)
_MEMBERS = [
    Member(ID, HOSTILE, "owner", NOW, NOW),
    Member(UUID(int=8), "b@c.d", "agent", NOW, None),
]
_SCOPES = {words.scope.value: words.does for words in SCOPE_WORDS}


def _key(state: KeyState, **changes: Any) -> KeyView:
    values = {
        "id": ID,
        "name": HOSTILE,
        "prefix": "9f8e7d6c",
        "scopes": ["messages:read"],
        "domains": ["acme.example"],
        "mailboxes": ["support@acme.example"],
        "created_at": NOW,
        "expires_at": NOW + timedelta(days=3),
        "last_used_at": None,
        "revoked_at": NOW if state is KeyState.REVOKED else None,
        "replaced_by": None,
        "state": state,
    }
    return KeyView(**{**values, **changes})


_KEYS = [
    *(_key(state) for state in KeyState),
    _key(KeyState.ACTIVE, replaced_by=ID, name=""),
    _key(KeyState.ACTIVE, expires_at=None, domains=[], mailboxes=[], scopes=list(_SCOPES)),
]
_HELD = [
    HeldItem(ID, ID, None, "parse", HOSTILE, 4321, HOSTILE, HOSTILE, HOSTILE, NOW, True),
    HeldItem(ID, ID, None, "claim", "Damaged spool", 12, "", "", "", NOW, False),
]
_FACTS = {"name": HOSTILE, "scopes": ["a", "b"], "taken_in": True, "expires_at": None}
_ENTRIES = [
    AuditEntry(
        ID, ID, 2, NOW, action, Actor("user", ID, HOSTILE, "192.0.2.1"), "x", ID, _FACTS, b""
    )
    for action in ("access.key_created", "access.something_new")
]
_AUDIT = {
    **_EMPTY,
    "filters": "",
    "what": "",
    "since": "",
    "of": "",
    "groups": ACTION_GROUPS,
    "periods": {"": "At any time", "day": "In the last 24 hours"},
    "verified": None,
}
_RUNS = [
    ("Empty the trash", "every minute", run)
    for run in (None, LastRun(NOW, 0.1, 0), LastRun(NOW, 0.1, 3), LastRun(NOW, 0.1, None))
]
_BUSY = Work(
    consumers=[
        ConsumerState("indexer", 40, 12, NOW, 2, NOW, True),
        ConsumerState("kafka", 52, 0, None, 0, NOW, False),
    ],
    backlog=Backlog(4321, NOW, 3),
    deferred=Queue(2, NOW),
    held_back=Queue(1, NOW),
    sign_in_mail=Queue(0, None),
    parked=[
        ParkedEvent(ID, "indexer", place, ID, ID, "message.deleted", HOSTILE, place, NOW, asked_at)
        for place, asked_at in ((1, None), (2, NOW))
    ],
    replays=[Replay(ID, "indexer", None, 1, 20, 52, 19, NOW, None)],
    rebuilds=[Progress(ID, "a@b.c", 3, 10, False), Progress(ID, "d@b.c", 0, 0, False)],
    rebuilds_waiting=2,
    runs={},
)
_IDLE = Work((), None, *(Queue(0, None),) * 3, (), (), (), 0, None)
_PLANS = ("developer", "temporary", "enterprise")


def make_admin_pages() -> list[tuple[str, str, dict[str, Any]]]:
    """Of each page a name, its template and its context."""
    return [
        *_make_list_pages(),
        *_make_user_pages(),
        *_make_directory_pages(),
        *_make_key_pages(),
        *_make_quarantine_pages(),
        *_make_audit_pages(),
        *_make_tenant_pages(),
    ]


def _page(name: str, template: str, /, **context: Any) -> tuple[str, str, dict[str, Any]]:
    return f"admin, {name}", f"admin/{template}.html", {**_SIGNED_IN, **context}


def _make_list_pages() -> list[tuple[str, str, dict[str, Any]]]:
    users = {"roles": ROLE_WORDS, "own_id": ID}
    keys = {"scope_words": _SCOPES}
    rows: dict[str, tuple[Any, dict[str, Any]]] = {
        "users": (_MEMBERS, users),
        "mailboxes": (_MAILBOXES, {}),
        "routes": ([_ROUTE, Route(ID, ID, "a.example", "sales", NOW, ())], {}),
        "keys": (_KEYS, keys),
        "quarantine": (_HELD, {}),
        "tenants": ([TenantRow(ID, HOSTILE, "developer", NOW, 1, ("a.b",))], {"current_id": ID}),
    }
    pages = []
    for name, (found, more) in rows.items():
        pages += [
            _page(f"{name}, none", f"{name}/list", **{**_EMPTY, **more}),
            _page(f"{name}, not found", f"{name}/list", **{**_NOT_FOUND, **more}),
            _page(name, f"{name}/list", **{**_EMPTY, **_MORE, **more, "rows": found}),
        ]
    return pages


def _make_user_pages() -> list[tuple[str, str, dict[str, Any]]]:
    user, form = _MEMBERS[0], {"roles": ROLE_WORDS, "role": "agent"}
    return [
        _page("invite", "users/new", **form, email=""),
        _page("invite, wrong", "users/new", **form, email=HOSTILE, wrong=HOSTILE),
        _page("invited", "users/invited", email=HOSTILE, address="https://a.example/sign-in"),
        _page("user", "users/show", **form, user=user, is_self=True),
        _page("remove user", "users/remove", user=user, wrong="Somebody has to be an owner."),
    ]


def _make_directory_pages() -> list[tuple[str, str, dict[str, Any]]]:
    none = MailboxChoice((), False)
    row = _MAILBOXES[0]
    return [
        _page("new mailbox", "mailboxes/new", domains=_DOMAINS),
        _page("new mailbox, no domain", "mailboxes/new", domains=()),
        _page(
            *("new mailbox, wrong", "mailboxes/new"),
            domains=_DOMAINS,
            wrong=HOSTILE,
            local_part=HOSTILE,
            domain="b.example",
            display_name=HOSTILE,
        ),
        _page("mailbox", "mailboxes/show", row=row, display_name=HOSTILE),
        _page("catch-all", "mailboxes/show", row=_MAILBOXES[1], display_name="", wrong=HOSTILE),
        _page("remove mailbox", "mailboxes/remove", row=row, messages=10_000, has_more=True),
        _page("remove empty mailbox", "mailboxes/remove", row=row, messages=0, has_more=False),
        _page("new route", "routes/new", domains=_DOMAINS, choice=_CHOICE, wrong=HOSTILE),
        _page("new route, no domain", "routes/new", domains=(), choice=none),
        _page("new route, no mailbox", "routes/new", domains=_DOMAINS, choice=none),
        _page("route", "routes/show", route=_ROUTE, choice=_CHOICE),
        _page("remove route", "routes/remove", route=_ROUTE),
    ]


def _make_key_pages() -> list[tuple[str, str, dict[str, Any]]]:
    form = {
        "wrong": "",
        "name": "",
        "scopes": frozenset({"messages:read"}),
        "scope_words": SCOPE_WORDS,
        "lives": {"30": ("For 30 days", None), "": ("Until somebody revokes it", None)},
        "chosen_life": "30",
        "domains": _DOMAINS,
        "domain_ids": frozenset(),
        "choice": MailboxChoice((), False),
    }
    key = _KEYS[0]
    return [
        _page("new key", "keys/new", **form),
        _page(
            *("new key, wrong", "keys/new"),
            **{**form, "wrong": HOSTILE, "name": HOSTILE, "choice": _CHOICE},
        ),
        _page("key made", "keys/made", key=key, secret="9f8e7d6c" * 8, old=None),
        _page("key rotated", "keys/made", key=key, secret="9f8e7d6c" * 8, old=key),
        *(
            _page(f"key {number}", "keys/show", key=each, scope_words=_SCOPES)
            for number, each in enumerate(_KEYS)
        ),
        _page("rotate key", "keys/rotate", key=key, overlaps={"day": ("For one more day", None)}),
        _page("revoke key", "keys/revoke", key=key),
    ]


def _make_quarantine_pages() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        *(
            _page(f"held back {number}", "quarantine/show", item=item, head=HOSTILE)
            for number, item in enumerate(_HELD)
        ),
        *(
            _page(f"drop {number}", "quarantine/drop", item=item)
            for number, item in enumerate(_HELD)
        ),
    ]


def _make_audit_pages() -> list[tuple[str, str, dict[str, Any]]]:
    rows = [(each, describe_action(each.action), describe_facts(each.facts)) for each in _ENTRIES]
    return [
        _page("audit, none", "audit/list", **_AUDIT),
        _page("audit, not found", "audit/list", **{**_AUDIT, **_NOT_FOUND}),
        _page(
            *("audit", "audit/list"),
            **{**_AUDIT, **_MORE, "rows": rows, "verified": Verification(2)},
        ),
        _page(
            *("audit, broken", "audit/list"),
            **{**_AUDIT, "rows": rows, "verified": Verification(1, "Entry 2 is missing.")},
        ),
    ]


def _make_tenant_pages() -> list[tuple[str, str, dict[str, Any]]]:
    tenant, does = Tenant(ID, HOSTILE, "developer"), {"indexer": "Makes mail searchable"}
    return [
        _page(
            "overview, new", "overview/show", tenant=tenant, counts=Overview(1, 0, 0, 0, 0, 0, 0, 0)
        ),
        _page("overview", "overview/show", tenant=tenant, counts=Overview(3, 2, 1, 4, 2, 1, 2, 1)),
        *(
            _page(
                f"settings, {plan}", "settings/show", tenant=Tenant(ID, "Acme", plan), name="Acme"
            )
            for plan in _PLANS
        ),
        _page("settings, wrong", "settings/show", tenant=tenant, name=HOSTILE, wrong=HOSTILE),
        _page("new tenant", "tenants/new", name=HOSTILE, plan="enterprise", wrong=HOSTILE),
        _page("open tenant", "tenants/open", tenant=tenant, is_member=False),
        _page("open own tenant", "tenants/open", tenant=tenant, is_member=True),
        _page("jobs", "jobs/list", work=_BUSY, jobs=_RUNS, does=does),
        _page("jobs, idle", "jobs/list", work=_IDLE, jobs=_RUNS[:1], does=does),
    ]
