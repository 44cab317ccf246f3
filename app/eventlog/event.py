"""What an event is, before and after it has its place in the log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from app.eventlog.types import EventType


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append.

    `subject` is what it happened to, as (type, id). `data` holds ids and plain facts, never an
    address, a subject line or anything else of a person: events outlive what they speak of.
    """

    type: EventType
    trace_id: UUID
    subject: tuple[str, UUID]
    tenant_id: UUID | None = None
    mailbox_id: UUID | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """An event in the log. Readers that remember `position` never miss a later one."""

    position: int
    id: UUID
    type: str
    tenant_id: UUID | None
    mailbox_id: UUID | None
    trace_id: UUID
    subject_type: str
    subject_id: UUID
    data: Mapping[str, Any]
    created_at: datetime
