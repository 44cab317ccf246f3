"""The way of a mail over the API."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from litestar import Router, get
from litestar.params import FromPath

from app.access.grants import Grant
from app.access.permissions import Permission
from app.tracing.step import Step
from app.tracing.traces import Trace, Traces
from app.web.api.openapi import shown
from app.web.given import Given
from app.web.guards import allow


class TraceStep(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened: `at` is when it was done, `duration_ms` how long it had taken by
    then, null where nobody knows. `outcome` is done, failed, or waiting for another try. `facts`
    depend on `kind`; docs/trace.md lists them."""

    kind: str
    at: datetime
    outcome: str
    duration_ms: int | None
    message_id: UUID | None
    facts: Mapping[str, str | int | bool]


class TraceDetail(msgspec.Struct, frozen=True, kw_only=True):
    """The way of one mail, as far as the key reaches it. `verdict` is delivered, duplicate,
    held_back, dropped, discarded, deferred, refused, or none where it was no mail."""

    id: UUID
    verdict: str
    message_ids: Sequence[UUID]
    steps: Sequence[TraceStep]


_MESSAGE_ID = UUID("0198c5f2-77aa-7e01-8c11-5d2f0e9b7a31")
_EXAMPLE = TraceDetail(
    id=UUID("0198c5f2-7700-7000-8000-4b1d3a5c7e90"),
    verdict="delivered",
    message_ids=[_MESSAGE_ID],
    steps=[
        TraceStep(
            kind="connected",
            at=datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
            outcome="done",
            duration_ms=None,
            message_id=None,
            facts={
                "client_address": "192.0.2.1",
                "client_name": "mail.example.org",
                "protocol": "ESMTPS",
            },
        ),
        TraceStep(
            kind="recorded",
            at=datetime(2026, 11, 22, 9, 30, 0, 240_000, tzinfo=UTC),
            outcome="done",
            duration_ms=12,
            message_id=_MESSAGE_ID,
            facts={"mailbox": "sales@acme.example"},
        ),
    ],
)


@get(
    "/traces/{trace_id:uuid}",
    operation_id="get_trace",
    summary="Explain a mail",
    opt=shown(answer=_EXAMPLE),
)
async def show_trace(
    trace_id: FromPath[UUID], grant: Given[Grant], traces: Given[Traces]
) -> TraceDetail:
    """The whole way of a mail, with times, by the `trace_id` of any event about it: also of mail
    that was refused, held back or had come before. The key needs `messages:read` too."""
    return _detail(await traces.explain(grant, trace_id))


@get(
    "/messages/{message_id:uuid}/trace",
    operation_id="get_message_trace",
    summary="Explain a message",
    opt=shown(answer=_EXAMPLE),
)
async def show_message_trace(
    message_id: FromPath[UUID], grant: Given[Grant], traces: Given[Traces]
) -> TraceDetail:
    """The whole way of a message that is there, and what has become of it since. The key needs
    `messages:read` too."""
    return _detail(await traces.explain_message(grant, message_id))


def _detail(trace: Trace) -> TraceDetail:
    return TraceDetail(
        id=trace.id,
        verdict=trace.verdict,
        message_ids=[message.id for message in trace.messages],
        steps=[_step(step) for step in trace.steps],
    )


def _step(step: Step) -> TraceStep:
    return TraceStep(
        kind=step.kind,
        at=step.at,
        outcome=step.outcome,
        duration_ms=step.duration_ms,
        message_id=step.message_id,
        facts={fact.name: fact.value for fact in step.facts},
    )


traces_router = Router(
    "/",
    route_handlers=[show_trace, show_message_trace],
    opt=allow(Permission.EVENTS_READ),
    tags=["events"],
)
