"""The pages of webhooks with the values their handlers give them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.directory.mailbox_rows import MailboxRow
from app.web.admin.mailbox_choice import MailboxChoice
from app.web.admin.webhook_form import WebhookFields
from app.web.admin.webhook_log import DeliveryRow
from app.web.admin.webhook_range import AGES, RangeFields
from app.web.admin.webhooks import EndpointRow
from app.web.webhook_wording import (
    DELIVERY_STATES,
    WHICH,
    describe_answer,
    describe_endpoint,
    describe_told,
    describe_type,
    draw_days,
    name_endpoint,
    offer_types,
)
from app.webhooks.activity import MAX_COUNTED, Activity, Day
from app.webhooks.deliveries import Attempt, Delivery, DeliveryState
from app.webhooks.endpoint import DisabledReason, Endpoint
from app.webhooks.queue import Which
from app.webhooks.replays import Replay

_FOLDER = "admin/webhooks"
_ID = UUID(int=61)
_PAYLOAD = '{"type":"webhook.test","data":{"id":"<b>"}}'

Sample = tuple[str, str, Mapping[str, Any]]


def make_webhook_pages(now: datetime, hostile: str, frame: Mapping[str, Any]) -> list[Sample]:
    """Name, template and context of each."""
    return [
        *_make_lists(now, hostile, frame),
        *_make_forms(now, hostile, frame),
        *_make_shown(now, hostile, frame),
        *_make_deliveries(now, hostile, frame),
    ]


def _endpoint(now: datetime, **changes: Any) -> Endpoint:
    values: dict[str, Any] = {
        "id": _ID,
        "tenant_id": UUID(int=1),
        "url": "https://hooks.acme.example/pillarbox",
        "description": "",
        "types": [],
        "mailbox_ids": [],
        "mailboxes": [],
        "is_ordered": False,
        "is_enabled": True,
        "disabled_reason": None,
        "disabled_at": None,
        "disabled_position": None,
        "failing_since": None,
        "resting_until": None,
        "previous_until": None,
        "created_at": now - timedelta(days=2),
    }
    return Endpoint(**{**values, **changes})


def _endpoints(now: datetime, hostile: str) -> list[Endpoint]:
    off = {"is_enabled": False, "disabled_at": now, "disabled_position": 4711}
    some = {"mailbox_ids": [UUID(int=7)], "mailboxes": ["support@acme.example"]}
    return [
        _endpoint(now),
        _endpoint(now, description=hostile, types=["ingest.received"], is_ordered=True, **some),
        _endpoint(now, types=["access.*", "message.*"], previous_until=now + timedelta(days=1)),
        _endpoint(now, types=["message.*"], mailbox_ids=[UUID(int=7)]),
        _endpoint(now, failing_since=now),
        _endpoint(now, failing_since=now - timedelta(hours=5)),
        _endpoint(now, resting_until=now + timedelta(hours=1)),
        *(_endpoint(now, disabled_reason=reason, **off) for reason in DisabledReason),
    ]


def _make_lists(now: datetime, hostile: str, frame: Mapping[str, Any]) -> list[Sample]:
    rows = [
        EndpointRow(
            endpoint,
            name_endpoint(endpoint),
            describe_told(endpoint),
            describe_endpoint(endpoint, now),
            Activity(now, 1000) if endpoint.is_enabled else Activity(),
        )
        for endpoint in _endpoints(now, hostile)
    ]
    template = f"{_FOLDER}/list.html"
    return [
        ("webhooks", template, {**frame, "rows": rows}),
        ("webhooks, none", template, {**frame, "rows": []}),
    ]


def _make_forms(now: datetime, hostile: str, frame: Mapping[str, Any]) -> list[Sample]:
    endpoint = _endpoint(now, disabled_position=4711)
    of_one = {**frame, "endpoint": endpoint, "name": hostile}
    new = {**frame, "ages": AGES, "chosen": RangeFields("now")}
    again = {"wrong": hostile, "chosen": RangeFields("moment", hostile, hostile, hostile)}
    replay = {
        **of_one,
        "ages": AGES,
        "chosen": RangeFields("missed"),
        "choices": WHICH,
        "which": Which.UNDELIVERED,
    }
    overlaps = {"day": ("For one more day", timedelta(days=1))}
    empty = WebhookFields("", "", offer_types(()), False, MailboxChoice((), False))
    filled = WebhookFields(
        hostile,
        hostile,
        offer_types(("message.*", "access.key_created")),
        True,
        MailboxChoice(
            [MailboxRow(UUID(int=7), "support@acme.example", hostile, now, now)],
            True,
            {UUID(int=7)},
            hostile,
        ),
        has_lost_mailboxes=True,
    )
    made = {**of_one, "secret": "whsec_" + "A" * 44}
    return [
        ("webhook, new", f"{_FOLDER}/new.html", {**new, "fields": empty}),
        ("webhook, wrong", f"{_FOLDER}/new.html", {**new, **again, "fields": filled}),
        ("webhook, change", f"{_FOLDER}/change.html", {**of_one, "fields": filled}),
        ("webhook, made", f"{_FOLDER}/made.html", {**made, "is_new": True, "old_until": None}),
        (
            "webhook, rotated",
            f"{_FOLDER}/made.html",
            {**made, "is_new": False, "old_until": now + timedelta(days=1)},
        ),
        (
            "webhook, rotated at once",
            f"{_FOLDER}/made.html",
            {**made, "is_new": False, "old_until": None},
        ),
        ("webhook, rotate", f"{_FOLDER}/rotate.html", {**of_one, "overlaps": overlaps}),
        ("webhook, remove", f"{_FOLDER}/remove.html", of_one),
        ("webhook, replay", f"{_FOLDER}/replay.html", replay),
        ("webhook, replay, wrong", f"{_FOLDER}/replay.html", {**replay, **again}),
    ]


def _make_shown(now: datetime, hostile: str, frame: Mapping[str, Any]) -> list[Sample]:
    rows = [DeliveryRow.of(each, now) for each in _list_deliveries(now, hostile)]
    days = [
        Day(now - timedelta(days=29 - n), n % 7, n % 3, MAX_COUNTED if n == 20 else 0)
        for n in range(30)
    ]
    replays = [
        Replay(
            id=UUID(int=n),
            endpoint_id=_ID,
            which=Which.ALL,
            position=12,
            to_position=4711,
            deliveries=n,
            created_at=now,
            finished_at=finished_at,
        )
        for n, finished_at in ((1, None), (2, now))
    ]
    template = f"{_FOLDER}/show.html"

    def show(endpoint: Endpoint, **changes: Any) -> Mapping[str, Any]:
        return {
            **frame,
            "endpoint": endpoint,
            "name": name_endpoint(endpoint),
            "standing": describe_endpoint(endpoint, now),
            "told": [describe_type(kind) for kind in endpoint.types],
            "has_old_secret": endpoint.previous_until is not None,
            "rows": rows,
            "next_cursor": "a=&b",
            "state": "",
            "chart": draw_days(days),
            "is_cut": True,
            "replays": replays,
            "states": DELIVERY_STATES,
            **changes,
        }

    endpoints = _endpoints(now, hostile)
    none = {"rows": [], "next_cursor": None, "chart": draw_days([]), "replays": []}
    return [
        *(
            (f"webhook, {number}", template, show(endpoint))
            for number, endpoint in enumerate(endpoints)
        ),
        ("webhook, nothing sent", template, show(endpoints[0], **none)),
        ("webhook, none failed", template, show(endpoints[0], **{**none, "state": "failed"})),
    ]


def _list_deliveries(now: datetime, hostile: str) -> list[Delivery]:
    values: dict[str, Any] = {
        "id": UUID(int=62),
        "endpoint_id": _ID,
        "event_id": UUID(int=63),
        "position": 4711,
        "type": "ingest.received",
        "mailbox_id": None,
        "trace_id": UUID(int=64),
        "state": DeliveryState.PENDING,
        "attempts": 0,
        "next_attempt_at": now,
        "created_at": now,
        "finished_at": None,
        "last_status": None,
        "last_error": "",
    }
    done: dict[str, Any] = {"next_attempt_at": None, "finished_at": now}
    return [
        Delivery(**{**values, **changes})
        for changes in (
            {},
            {
                "attempts": 2,
                "next_attempt_at": now + timedelta(hours=2),
                "last_error": hostile,
            },
            {**done, "state": DeliveryState.DELIVERED, "last_status": 204},
            {**done, "state": DeliveryState.FAILED, "last_status": 599},
            {**done, "state": DeliveryState.FAILED, "type": "webhook.test", "position": None},
        )
    ]


def _make_deliveries(now: datetime, hostile: str, frame: Mapping[str, Any]) -> list[Sample]:
    tries = [
        Attempt(
            id=UUID(int=65),
            started_at=now,
            duration_ms=duration_ms,
            status=status,
            response_head=f"HTTP 204\nx: {hostile}" if status else "",
            error=error,
        )
        for duration_ms, status, error in ((85, 204, ""), (20_000, None, hostile), (None, None, ""))
    ]
    return [
        (
            f"delivery {number}",
            f"{_FOLDER}/delivery.html",
            {
                **frame,
                "endpoint": _endpoint(now),
                "name": hostile,
                "row": DeliveryRow.of(delivery, now),
                "tries": [
                    (each, describe_answer(each.status, each.error)) for each in tries[:number]
                ],
                "payload": _PAYLOAD,
                "laid_out": _PAYLOAD,
                "user_agent": "Pillarbox",
            },
        )
        for number, delivery in enumerate(_list_deliveries(now, hostile))
    ]
