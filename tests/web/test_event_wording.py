"""Every event has words of its own and a group, and says nothing that only programs read."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from app.eventlog.event import Event
from app.eventlog.types import EventType
from app.web.event_wording import (
    GROUPS,
    WORDINGS,
    EventGroup,
    describe_data,
    describe_event,
    look_of,
    types_of,
)

EVENT = Event(
    position=1,
    id=UUID(int=1),
    type="ingest.received",
    tenant_id=None,
    mailbox_id=None,
    trace_id=UUID(int=2),
    subject_type="message",
    subject_id=UUID(int=3),
    data={},
    created_at=datetime(2026, 11, 22, tzinfo=UTC),
)


def test_every_type_has_words_and_a_group() -> None:
    assert set(WORDINGS) == set(EventType), "say in app/web/event_wording.py what it is called"
    assert set(GROUPS) == set(EventGroup)
    assert {kind for group in EventGroup for kind in types_of(group)} == set(EventType)


def test_words_are_short_and_tell_types_apart() -> None:
    words = [describe_event(kind) for kind in EventType]
    assert len(set(words)) == len(words)
    assert max(map(len, words)) <= 25


def test_type_of_another_version_is_spelled_out() -> None:
    assert describe_event("parcel.left_outside") == "Parcel left outside"
    assert look_of("parcel.left_outside").colour == "grey"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"source": "smtp", "size_bytes": 4096, "sha256": "ab", "item_id": "x"}, "by smtp, 4.1 KB"),
        ({"is_read": True, "folder": "archive"}, "read yes, folder archive"),
        ({"authentication": {"spf": "pass", "dkim": None}}, "spf pass"),
        ({"reason": "by_user", "sampled_out": 0, "earlier": None}, "reason by user, sampled out 0"),
        ({"scopes": ["messages:read", "admin"]}, "scopes messages:read admin"),
        ({"vouched": False}, "vouched no"),
        ({"actor": "user", "actor_id": "x"}, "by a person"),
        ({"actor": "operator"}, "by the command line"),
        ({}, ""),
    ],
)
def test_data_is_said_in_words_without_ids(data: dict[str, object], words: str) -> None:
    assert describe_data(replace(EVENT, id=uuid4(), data=data)) == words
