"""From what is known of a trace to its steps in order. Pure functions."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from app.eventlog.event import Event
from app.eventlog.types import EventType
from app.storage.spool.port import Handover
from app.tracing.evidence import Evidence, RefusedRecipient, Sender, WebhookTry
from app.tracing.passage import Passage
from app.tracing.step import Fact, Step, StepKind, StepOutcome


def tell_steps(evidence: Evidence) -> Sequence[Step]:
    """All steps, as they happened: the client's part, taking in, and what came later.

    The first two are put in order by what they are, as two processes with clocks of their own, and
    in milliseconds, tell of them.
    """
    ends = [(event, passage) for event in evidence.events if (passage := _passage_of(event))]
    arrival = [*_tell_handover(evidence, ends)]
    taken_in: list[Step] = []
    later: list[Step] = []
    claimed: set[datetime] = set()
    for event, passage in ends:
        steps = taken_in if not claimed or claimed == {passage.claimed_at} else later
        if passage.claimed_at not in claimed:
            claimed.add(passage.claimed_at)
            steps += _tell_claim(evidence, event, passage)
        steps.append(_tell_end(evidence, event, passage))
    for event in evidence.events:
        later += _tell_event(evidence, event)
    for event in evidence.related:
        later += _tell_related(event)
    later += [_tell_webhook(each) for each in evidence.webhook_tries]
    return [*arrival, *taken_in, *sorted(later, key=lambda step: step.at)]


def _passage_of(event: Event) -> Passage | None:
    if event.type not in _ENDS or "passage" not in event.data:
        return None
    return msgspec.convert(event.data["passage"], Passage)


def _tell_handover(evidence: Evidence, ends: Sequence[tuple[Event, Passage]]) -> Iterator[Step]:
    refused = sorted(evidence.refused.values(), key=lambda each: each.refused_at)
    handovers = [passage.handover for _, passage in ends]
    handovers += [each.handover for each in reversed(refused)]
    handover = next((each for each in handovers if each is not None), None)
    sender = evidence.find_sender()
    session = _tell_session(sender, handover) if handover else []
    data = [step for step in session if step.kind is StepKind.DATA]
    # A session counts in whole milliseconds: which of two in the same one was first, times do not
    # tell, but a recipient that is refused is so before the message is sent.
    early = [step for step in session if step.kind is not StepKind.DATA]
    early += [_tell_refusal(each) for each in refused if each.is_before_data]
    late = [_tell_refusal(each) for each in refused if not each.is_before_data]
    late += _tell_forgotten_refusals(evidence)
    for steps in (early, data, late):
        yield from sorted(steps, key=lambda step: step.at)
    if ends:
        yield from _tell_acceptance(sender, *ends[0])


def _tell_session(sender: Sender | None, handover: Handover) -> list[Step]:
    """As far as the client came."""

    def at(ms: int | None) -> datetime:
        return handover.connected_at + timedelta(milliseconds=ms or 0)

    facts = _facts(
        client_address=sender.address if sender else None,
        client_name=sender.name if sender else None,
        protocol=handover.protocol,
        tls=handover.tls,
    )
    steps = [Step(StepKind.CONNECTED, handover.connected_at, facts=facts)]
    if (last := handover.last_recipient_ms) is not None:
        steps.append(Step(StepKind.RECIPIENT, at(last), duration_ms=last))
    if (began := handover.data_ms) is not None:
        ended = handover.data_end_ms
        lasted = None if ended is None else ended - began
        steps.append(Step(StepKind.DATA, at(began if ended is None else ended), duration_ms=lasted))
    return steps


def _tell_acceptance(sender: Sender | None, event: Event, passage: Passage) -> Iterator[Step]:
    """That the item was on disk, which is known of each that could be taken in."""
    facts = _facts(item_id=_item_id(event), size_bytes=event.data.get("size_bytes"))
    if event.data.get("source") == "callback":
        named = _facts(client_name=sender.name if sender else None)
        yield Step(StepKind.CALLBACK, passage.received_at, facts=named)
    yield Step(StepKind.SPOOLED, _spooled_at(passage), facts=facts)


def _tell_refusal(refused: RefusedRecipient) -> Step:
    return Step(
        StepKind.REFUSED,
        refused.refused_at,
        _of_code(refused.code),
        facts=_facts(
            recipient=refused.recipient,
            code=refused.code,
            enhanced_code=refused.enhanced_code,
            cause=refused.cause,
            reply=refused.reply,
        ),
    )


def _tell_forgotten_refusals(evidence: Evidence) -> Iterator[Step]:
    """Of which only the event is left."""
    for event in evidence.events:
        if event.type == EventType.MESSAGE_REJECTED and event.subject_id not in evidence.refused:
            data = event.data
            facts = _facts(
                code=data["code"], enhanced_code=data["enhanced_code"], cause=data["cause"]
            )
            yield Step(StepKind.REFUSED, event.created_at, _of_code(data["code"]), facts=facts)


def _tell_claim(evidence: Evidence, event: Event, passage: Passage) -> Iterator[Step]:
    """Of what was taken in together, the steps up to the one that this item came to."""
    waited = _between(_spooled_at(passage), passage.claimed_at)
    counts = _facts(items=passage.items, attempts=passage.attempts or None)
    yield Step(StepKind.CLAIMED, passage.claimed_at, duration_ms=waited, facts=counts)
    stage = event.data.get("stage")
    done = _STAGES[: _STAGES.index(stage)] if stage in _STAGES else _STAGES
    addresses = ", ".join(message.mailbox_address for message in evidence.messages.values())
    facts = {
        StepKind.ROUTED: _facts(mailboxes=addresses),
        StepKind.STORED: _facts(sha256=event.data.get("sha256")),
    }
    at = passage.claimed_at
    for name in done:
        kind, lasted = _STEPS[name], getattr(passage, f"{name}_ms")
        if lasted is not None:
            at += timedelta(milliseconds=lasted)
            yield Step(kind, at, duration_ms=lasted, facts=facts.get(kind, ()))


def _tell_end(evidence: Evidence, event: Event, passage: Passage) -> Step:
    """What became of the item, in one mailbox or as a whole."""
    kind = _ENDS[event.type]
    spent = sum(each or 0 for each in (passage.parse_ms, passage.route_ms, passage.store_ms))
    began_at = passage.claimed_at + timedelta(milliseconds=spent)
    held = evidence.held.get(event.subject_id)
    message = evidence.messages.get(event.subject_id)
    is_about_message = event.subject_type == "message" and kind is not StepKind.DISCARDED
    return Step(
        kind,
        event.created_at,
        StepOutcome.FAILED if kind is StepKind.HELD_BACK else StepOutcome.DONE,
        _between(began_at, event.created_at),
        event.subject_id if is_about_message else None,
        _facts(
            mailbox=message.mailbox_address if message else None,
            stage=held.stage if held else event.data.get("stage"),
            reason=held.reason if held else event.data.get("reason"),
            item_id=_item_id(event),
        ),
    )


def _tell_event(evidence: Evidence, event: Event) -> Iterator[Step]:
    """What the taking in does not tell."""
    data, message_id = event.data, event.subject_id if event.subject_type == "message" else None
    if "passage" in data or event.type in _TOLD_ELSEWHERE:
        return
    kind, facts = StepKind.NOTED, _facts(type=event.type, **_plain(data))
    match event.type:
        case EventType.INGEST_RECEIVED:
            message = evidence.messages.get(event.subject_id)
            kind, facts = (
                StepKind.RECORDED,
                _facts(
                    mailbox=message.mailbox_address if message else None,
                    item_id=data.get("item_id"),
                ),
            )
        case EventType.MESSAGE_DUPLICATE:
            kind, facts = StepKind.DUPLICATE, _facts(item_id=data.get("item_id"))
        case EventType.MESSAGE_QUARANTINED:
            held = evidence.held.get(event.subject_id)
            kind = StepKind.HELD_BACK
            facts = _facts(stage=data.get("stage"), reason=held.reason if held else None)
        case EventType.INDEXER_INDEXED:
            kind, facts = StepKind.INDEXED, ()
        case EventType.MESSAGE_UPDATED if "authentication" in data:
            kind, facts = StepKind.AUTHENTICATED, _facts(**data["authentication"])
        case EventType.MESSAGE_UPDATED:
            kind, facts = StepKind.CHANGED, _facts(**_plain(data))
        case EventType.MESSAGE_DELETED:
            reason = data.get("reason")
            dropped = reason == "dropped_from_quarantine"
            kind = StepKind.DROPPED if dropped else StepKind.DELETED
            facts = _facts(reason=reason)
    failed = StepOutcome.FAILED if kind is StepKind.HELD_BACK else StepOutcome.DONE
    waited = _since_recorded(evidence, event) if kind in _FOLLOW_AT_ONCE else None
    yield Step(kind, event.created_at, failed, waited, message_id, facts)


def _tell_related(event: Event) -> Iterator[Step]:
    if event.type == EventType.MESSAGE_DUPLICATE:
        facts = _facts(trace_id=str(event.trace_id))
        yield Step(StepKind.REPEATED, event.created_at, message_id=event.subject_id, facts=facts)
    elif event.type == EventType.ACCESS_QUARANTINE_RETRIED:
        taken_in = bool(event.data.get("taken_in"))
        outcome = StepOutcome.DONE if taken_in else StepOutcome.FAILED
        facts = _facts(taken_in=taken_in, actor=event.data.get("actor"))
        yield Step(StepKind.RETRIED, event.created_at, outcome, facts=facts)


def _tell_webhook(tried: WebhookTry) -> Step:
    outcome = StepOutcome.FAILED if tried.is_given_up else StepOutcome.WAITING
    if tried.status is not None and 200 <= tried.status <= 299:
        outcome = StepOutcome.DONE
    next_at = tried.next_attempt_at
    return Step(
        StepKind.WEBHOOK,
        tried.began_at + timedelta(milliseconds=tried.duration_ms or 0),
        outcome,
        tried.duration_ms,
        facts=_facts(
            host=tried.host,
            type=tried.type,
            number=tried.number,
            status=tried.status,
            error=tried.error,
            next_attempt_at=next_at.isoformat() if next_at else None,
            delivery_id=str(tried.delivery_id),
        ),
    )


def _since_recorded(evidence: Evidence, event: Event) -> int | None:
    """Only for the first time: what is checked again much later did not take that long."""
    recorded_at = None
    for other in evidence.events:
        if other.position >= event.position:
            break
        if other.subject_id == event.subject_id:
            if other.type == EventType.INGEST_RECEIVED:
                recorded_at = other.created_at
            elif other.type == event.type and _is_check(other) == _is_check(event):
                return None
    return _between(recorded_at, event.created_at) if recorded_at else None


def _is_check(event: Event) -> bool:
    return "authentication" in event.data


def _spooled_at(passage: Passage) -> datetime:
    handover = passage.handover
    if handover is None or handover.data_end_ms is None:
        return passage.received_at
    return handover.connected_at + timedelta(milliseconds=handover.data_end_ms)


def _item_id(event: Event) -> str | None:
    if event.subject_type == "spool_item":
        return str(event.subject_id)
    return event.data.get("item_id")


def _of_code(code: int) -> StepOutcome:
    """A sender that was told 4yz tries again (RFC 5321, section 4.2.1)."""
    return StepOutcome.WAITING if code < 500 else StepOutcome.FAILED


def _between(earlier: datetime, later: datetime) -> int:
    return max(0, round((later - earlier) / timedelta(milliseconds=1)))


def _plain(data: object) -> dict[str, str | int | bool]:
    return {
        name: value
        for name, value in msgspec.convert(data, dict[str, object]).items()
        if isinstance(value, str | int | bool)
    }


def _facts(**known: str | int | bool | None) -> Sequence[Fact]:
    return [Fact(name, value) for name, value in known.items() if value not in (None, "")]


_STAGES = ("parse", "route", "store")
_STEPS = {"parse": StepKind.PARSED, "route": StepKind.ROUTED, "store": StepKind.STORED}
_ENDS: dict[str, StepKind] = {
    EventType.INGEST_RECEIVED: StepKind.RECORDED,
    EventType.MESSAGE_DUPLICATE: StepKind.DUPLICATE,
    EventType.MESSAGE_QUARANTINED: StepKind.HELD_BACK,
    EventType.MESSAGE_DELETED: StepKind.DISCARDED,
}
_FOLLOW_AT_ONCE = (StepKind.AUTHENTICATED, StepKind.INDEXED)
_TOLD_ELSEWHERE = (
    *(EventType.OBJECTSTORE_UPLOADED, EventType.MESSAGE_REJECTED),
    *(EventType.ACCESS_QUARANTINE_DROPPED, EventType.WEBHOOK_DELIVERED, EventType.WEBHOOK_FAILED),
)
