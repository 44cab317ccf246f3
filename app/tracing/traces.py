"""Reading a trace: the whole way of one mail, as far as whoever asks may see it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from app.access.grants import Grant
from app.access.permissions import Permission
from app.core.errors import NotFound
from app.eventlog.event import Event
from app.eventlog.read import EventFilter, read_events
from app.eventlog.types import EventType
from app.inbox.authentication import AUTHENTICATION_COLUMN, read_authentication
from app.storage.db.database import Database
from app.storage.spool.port import Handover
from app.tracing.evidence import (
    Evidence,
    HeldItem,
    RefusedRecipient,
    Sender,
    TracedMessage,
    WebhookTry,
)
from app.tracing.step import Step, Verdict, judge
from app.tracing.steps import tell_steps

_MAX_EVENTS = 1000
_MAX_SUBJECTS = 50


@dataclass(frozen=True, slots=True)
class Trace:
    """`messages` are those that are still there, `steps` in the order in which they happened."""

    id: UUID
    verdict: Verdict
    steps: Sequence[Step]
    messages: Sequence[TracedMessage]
    refused: Sequence[RefusedRecipient]
    held: Sequence[HeldItem]


@dataclass(frozen=True, slots=True)
class Traces:
    """Each method needs the permission to read events and messages, else it raises `NotAllowed`,
    and raises `NotFound`, in the same words, for what is not there and for what the grant does not
    reach. Of a trace of several tenants or mailboxes it shows the grant's part."""

    database: Database

    async def explain(self, grant: Grant, trace_id: UUID) -> Trace:
        grant.require(Permission.EVENTS_READ)
        grant.require(Permission.MESSAGES_READ)
        events = await self._read(grant, EventFilter(trace_id=trace_id))
        if not events:
            raise NotFound("There is no such trace.")
        evidence = await self._collect(grant, trace_id, events)
        steps = tell_steps(evidence)
        return Trace(
            trace_id,
            judge(steps),
            steps,
            list(evidence.messages.values()),
            list(evidence.refused.values()),
            list(evidence.held.values()),
        )

    async def explain_message(self, grant: Grant, message_id: UUID) -> Trace:
        """The way of a message that is there."""
        trace_id = await self.database.fetch_value(
            """select trace_id from message where id = $1 and tenant_id = $2
                and ($3::uuid[] is null or mailbox_id = any($3))""",
            message_id,
            grant.tenant_id,
            grant.mailbox_ids,
        )
        if trace_id is None:
            raise NotFound("There is no such message.")
        return await self.explain(grant, trace_id)

    async def _read(self, grant: Grant, wanted: EventFilter) -> Sequence[Event]:
        """What the grant reaches, in order; for an operator with what is nobody's."""
        own = replace(wanted, tenant_id=grant.tenant_id, mailbox_ids=grant.mailbox_ids)
        events = [*await read_events(self.database, after=0, wanted=own, limit=_MAX_EVENTS)]
        if grant.is_operator:
            found = await read_events(self.database, after=0, wanted=wanted, limit=_MAX_EVENTS)
            events += [event for event in found if event.tenant_id is None]
        return sorted(events, key=lambda event: event.position)

    async def _collect(self, grant: Grant, trace_id: UUID, events: Sequence[Event]) -> Evidence:
        subjects: dict[str, set[UUID]] = {}
        for event in events:
            subjects.setdefault(event.subject_type, set()).add(event.subject_id)
            if item_id := event.data.get("item_id"):
                subjects.setdefault("spool_item", set()).add(UUID(item_id))
        messages = await self._find_messages(grant, subjects.get("message", ()))
        return Evidence(
            events=events,
            related=[
                *await self._read_related(grant, trace_id, messages, EventType.MESSAGE_DUPLICATE),
                *await self._read_related(
                    grant,
                    trace_id,
                    subjects.get("spool_item", ()),
                    EventType.ACCESS_QUARANTINE_RETRIED,
                ),
            ],
            messages=messages,
            refused=await self._find_refused(grant, subjects.get("refused_mail", ())),
            held=await self._find_held(grant, subjects.get("spool_item", ())),
            repeated_by=await self._find_repeater(grant, trace_id),
            webhook_tries=await self._find_webhook_tries(grant, trace_id),
        )

    async def _read_related(
        self, grant: Grant, trace_id: UUID, subject_ids: Collection[UUID], kind: EventType
    ) -> Sequence[Event]:
        related: list[Event] = []
        for subject_id in sorted(subject_ids)[:_MAX_SUBJECTS]:
            related += await self._read(grant, EventFilter(types=[kind], subject_id=subject_id))
        return [event for event in related if event.trace_id != trace_id]

    async def _find_messages(
        self, grant: Grant, message_ids: Collection[UUID]
    ) -> Mapping[UUID, TracedMessage]:
        rows = await self.database.fetch(
            f"""select message.id, trace_id, mailbox.address as mailbox_address, envelope_from,
                subject, received_at, client_address, client_name, {AUTHENTICATION_COLUMN}
            from message join mailbox on mailbox.id = mailbox_id
            where message.id = any($1::uuid[]) and message.tenant_id = $2
                and ($3::uuid[] is null or mailbox_id = any($3))
            order by mailbox.address""",
            list(message_ids),
            grant.tenant_id,
            grant.mailbox_ids,
        )
        return {
            row["id"]: TracedMessage(
                id=row["id"],
                trace_id=row["trace_id"],
                mailbox_address=row["mailbox_address"],
                mail_from=row["envelope_from"],
                subject=row["subject"],
                received_at=row["received_at"],
                sender=Sender(row["client_address"], row["client_name"]),
                authentication=read_authentication(row["authentication"]),
            )
            for row in rows
        }

    async def _find_refused(
        self, grant: Grant, refused_ids: Collection[UUID]
    ) -> Mapping[UUID, RefusedRecipient]:
        """Of those that the grant's events speak of."""
        rows = await self.database.fetch(
            """select id, refused_at, mail_from, recipient, code, enhanced_code, cause, reply,
                client_address, client_name, handover
            from refused_mail where id = any($1::uuid[]) and tenant_id = $2""",
            list(refused_ids),
            grant.tenant_id,
        )
        return {
            row["id"]: RefusedRecipient(
                id=row["id"],
                refused_at=row["refused_at"],
                mail_from=row["mail_from"],
                recipient=row["recipient"],
                code=row["code"],
                enhanced_code=row["enhanced_code"],
                cause=row["cause"],
                reply=row["reply"],
                sender=Sender(row["client_address"], row["client_name"]),
                handover=_read_handover(row["handover"]),
            )
            for row in rows
        }

    async def _find_held(self, grant: Grant, item_ids: Collection[UUID]) -> Mapping[UUID, HeldItem]:
        if grant.mailbox_ids is not None:
            return {}
        rows = await self.database.fetch(
            """select id, stage, reason,
                coalesce(source->'envelope'->>'mail_from', '') as mail_from,
                coalesce(array_to_string(array(select jsonb_array_elements_text(
                    source->'envelope'->'rcpt_to') limit 20), ', '), '') as recipients,
                coalesce(source->>'client_address', '') as client_address,
                coalesce(source->>'client_name', '') as client_name
            from quarantine where id = any($1::uuid[])
                and (tenant_id = $2 or ($3 and tenant_id is null))""",
            list(item_ids),
            grant.tenant_id,
            grant.is_operator,
        )
        return {
            row["id"]: HeldItem(
                id=row["id"],
                stage=row["stage"],
                reason=row["reason"],
                mail_from=row["mail_from"],
                recipients=row["recipients"],
                sender=Sender(row["client_address"], row["client_name"]),
            )
            for row in rows
        }

    async def _find_repeater(self, grant: Grant, trace_id: UUID) -> Sender | None:
        row = await self.database.fetch_one(
            """select repeat.client_address, repeat.client_name from repeated_arrival as repeat
            join message on message.id = repeat.message_id
            where repeat.trace_id = $1 and repeat.tenant_id = $2
                and ($3::uuid[] is null or mailbox_id = any($3)) limit 1""",
            trace_id,
            grant.tenant_id,
            grant.mailbox_ids,
        )
        return Sender(row["client_address"], row["client_name"]) if row else None

    async def _find_webhook_tries(self, grant: Grant, trace_id: UUID) -> Sequence[WebhookTry]:
        rows = await self.database.fetch(
            """select delivery.id as delivery_id, delivery.type, url,
                delivery.state, next_attempt_at,
                coalesce(started_at, delivery.created_at) as began_at, duration_ms, status,
                coalesce(error, '') as error, count(attempt.id) over earlier as number,
                row_number() over later = 1 as is_last
            from webhook_delivery as delivery
            join webhook_endpoint as endpoint on endpoint.id = endpoint_id
            left join webhook_attempt as attempt on delivery_id = delivery.id
            where delivery.trace_id = $1 and delivery.tenant_id = $2
                and ($3::uuid[] is null or delivery.mailbox_id = any($3))
            window earlier as (partition by delivery.id order by attempt.id),
                later as (partition by delivery.id order by attempt.id desc)
            order by delivery.id, attempt.id limit $4""",
            trace_id,
            grant.tenant_id,
            grant.mailbox_ids,
            _MAX_EVENTS,
        )
        return [
            WebhookTry(
                delivery_id=row["delivery_id"],
                type=row["type"],
                host=urlsplit(row["url"]).hostname or "",
                number=row["number"],
                began_at=row["began_at"],
                duration_ms=row["duration_ms"],
                status=row["status"],
                error=row["error"],
                is_given_up=row["is_last"] and row["state"] == "failed",
                next_attempt_at=row["next_attempt_at"]
                if row["is_last"] and row["state"] == "pending"
                else None,
            )
            for row in rows
        ]


def _read_handover(column: str | None) -> Handover | None:
    return msgspec.json.decode(column, type=Handover) if column else None
