"""Who is told of what."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import InvalidInput
from app.eventlog.event import Event
from app.eventlog.types import EventType
from app.webhooks.payload import MAX_BYTES, render_payload
from app.webhooks.selection import OFFERED_TYPES, Selection, check_types

MINE, OTHER = uuid4(), uuid4()


def event(kind: str, mailbox_id: UUID | None = None, **data: object) -> Event:
    return Event(
        position=7,
        id=uuid4(),
        type=kind,
        tenant_id=uuid4(),
        mailbox_id=mailbox_id,
        trace_id=uuid4(),
        subject_type="message",
        subject_id=uuid4(),
        data=data,
        created_at=datetime.now(UTC),
    )


@pytest.mark.parametrize(
    ("types", "kind", "wanted"),
    [
        ([], "ingest.received", True),
        ([], "access.user_added", False),
        ([], "webhook.delivered", False),
        (["message.*"], "message.updated", True),
        (["message.*"], "ingest.received", False),
        (["access.*"], "access.user_added", True),
        (["access.user_added"], "access.user_added", True),
        (["access.user_added"], "access.user_removed", False),
        (["ingest.received"], "access.user_added", False),
        (["webhook.delivered", "webhook.*"], "webhook.delivered", False),
    ],
)
def test_types_choose_what_is_told(types: list[str], kind: str, wanted: bool) -> None:
    assert Selection(types, []).wants(event(kind)) is wanted
    assert (kind in Selection(types, []).wanted_types) is wanted


def test_mailboxes_choose_and_leave_out_what_belongs_to_none() -> None:
    limited = Selection([], [MINE])
    assert limited.wants(event("ingest.received", MINE))
    assert not limited.wants(event("ingest.received", OTHER))
    assert not limited.wants(event("domain.verified"))
    assert not Selection(["access.*"], [MINE]).wants(event("access.user_added"))


def test_types_are_those_that_there_are() -> None:
    assert check_types(["message.*", "ingest.received", "message.*"]) == [
        "ingest.received",
        "message.*",
    ]
    assert set(OFFERED_TYPES) == {kind for kind in EventType if not kind.startswith("webhook.")}
    for wrong in (
        "",
        "*",
        ".*",
        "message",
        "message.",
        "messages.*",
        "webhook.*",
        "webhook.failed",
    ):
        with pytest.raises(InvalidInput):
            check_types([wrong])


@given(st.dictionaries(st.text(), st.text(max_size=3000), max_size=20))
def test_payload_stays_small_and_is_json(data: dict[str, str]) -> None:
    told = event("ingest.received", MINE, **data)
    payload = render_payload(told, "https://mail.example")
    assert len(payload.encode()) < MAX_BYTES
    read = msgspec.json.decode(payload)
    assert (read["type"], read["data"]["id"]) == (told.type, str(told.id))
    assert read["data"]["facts"] in (None, data)
    assert read["data"]["links"]["event"].endswith("?after=6&limit=1")
