"""The whole way of a mail, from its connection on, whatever became of it."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from clocks import MovableClock
from http_host import hosting

from app.access.permissions import SCOPES, Permission
from app.core.egress.client import Egress
from app.core.errors import NotAllowed, NotFound, StorageFull
from app.inbox.actions import Action
from app.inbox.listing import Access
from app.settings import LOOPBACK
from app.tracing.step import Step, StepOutcome, Verdict
from app.tracing.traces import Trace
from app.webhooks.call import Caller
from app.webhooks.deliverer import Deliverer
from app.webhooks.endpoints import Wish
from app.webhooks.settling import Settling

BOX = "box@example.test"
MAIL = b"From: ada@example.org\r\nSubject: Hello\r\n\r\nHi\r\n"
TAKES = b"HTTP/1.1 204 No Content\r\n\r\n"
FAILS = b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n"
SESSION = ["connected", "recipient", "data"]
TAKEN_IN = ["claimed", "parsed", "routed", "stored"]


def kinds(trace: Trace) -> list[str]:
    return [step.kind.value for step in trace.steps]


def find(trace: Trace, kind: str) -> Step:
    """The one step of a kind."""
    (step,) = [step for step in trace.steps if step.kind == kind]
    return step


async def test_delivered_mail_shows_its_whole_way(gate) -> None:
    services, mailbox = gate.mailroom.services, gate.mailroom.mailbox
    assert await gate.send(BOX, tls=True) == {}
    await gate.take_in()
    received = await gate.last_event("ingest.received")
    for consumer in (services.indexer(), services.authentication()):
        events = await gate.mailroom.events("ingest.received")
        told = await consumer.handle(events)
        async with services.log.transaction() as transaction:
            transaction.tell(*told)
    access = Access(mailbox.tenant_id)
    await services.actions.apply(access, None, Action.ARCHIVE, [received.subject_id])

    trace = await gate.explain(received.trace_id)

    assert trace.verdict is Verdict.DELIVERED
    assert kinds(trace) == [
        *(*SESSION, "spooled", *TAKEN_IN, "recorded"),
        *("indexed", "authenticated", "changed"),
    ]
    connected = find(trace, "connected")
    assert connected.fact("client_address") == "127.0.0.1"
    assert connected.fact("client_name") == "client.example.org"
    assert connected.fact("protocol") == "ESMTPS"
    assert str(connected.fact("tls")).startswith("version=TLSv1.3")
    assert find(trace, "claimed").fact("items") == 1
    assert find(trace, "routed").fact("mailboxes") == BOX
    assert find(trace, "stored").fact("sha256") == received.data["sha256"]
    assert find(trace, "spooled").fact("item_id") == received.data["item_id"]
    assert find(trace, "recorded").message_id == received.subject_id
    assert find(trace, "authenticated").fact("dmarc") == "none"
    assert find(trace, "changed").fact("folder") == "archive"
    assert {step.outcome for step in trace.steps} == {StepOutcome.DONE}
    # Each but the moments themselves says how long it took.
    timed = {step.kind.value for step in trace.steps if step.duration_ms is not None}
    assert timed == set(kinds(trace)) - {"connected", "spooled", "changed"}
    times = [step.at for step in trace.steps]
    assert all((later - earlier).total_seconds() > -0.002 for earlier, later in pairwise(times))
    by_message = await services.traces.explain_message(gate.grant(), received.subject_id)
    assert by_message == trace


async def test_mail_refused_at_rcpt_shows_who_asked_and_what_was_said(
    gate,
) -> None:
    await gate.send("nobody@example.test", tls=True)
    await gate.take_in()
    trace = await gate.explain((await gate.last_event("message.rejected")).trace_id)
    assert trace.verdict is Verdict.REFUSED
    assert kinds(trace) == ["connected", "refused"]
    assert find(trace, "connected").fact("client_address") == "127.0.0.1"
    assert find(trace, "connected").fact("protocol") == "ESMTPS"
    refused = find(trace, "refused")
    assert refused.outcome is StepOutcome.FAILED
    assert refused.fact("recipient") == "nobody@example.test"
    assert refused.fact("reply") == "550 5.1.1 No such mailbox here"
    assert refused.at > find(trace, "connected").at


async def test_mail_deferred_for_a_full_disk_shows_that_all_of_it_came(
    gate,
) -> None:
    gate.writer.fault = StorageFull("The disk is full.")
    await gate.send(BOX)
    await gate.take_in()
    trace = await gate.explain((await gate.last_event("message.rejected")).trace_id)
    assert trace.verdict is Verdict.DEFERRED
    assert kinds(trace) == [*SESSION, "refused"]
    assert find(trace, "data").duration_ms is not None
    refused = find(trace, "refused")
    assert refused.outcome is StepOutcome.WAITING
    assert (refused.fact("code"), refused.fact("cause")) == (452, "storage_full")


async def test_recipient_refused_beside_one_that_was_taken_is_part_of_the_same_way(
    gate,
) -> None:
    await gate.send(BOX, "nobody@example.test")
    await gate.take_in()
    trace = await gate.explain((await gate.last_event("ingest.received")).trace_id)
    assert trace.verdict is Verdict.DELIVERED
    assert kinds(trace) == [
        *("connected", "recipient", "refused", "data"),
        *("spooled", *TAKEN_IN, "recorded"),
    ]


async def test_quarantined_mail_shows_where_it_stopped_and_each_try(
    gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    review = gate.mailroom.services.quarantine_review()
    with monkeypatch.context() as broken:
        broken.setattr("app.inbound.pipeline.parse.parse_message", _fail)
        await gate.send(BOX)
        await gate.take_in()
        held = await gate.last_event("message.quarantined")
        assert not await review.retry(gate.grant(), held.subject_id)
    trace = await gate.explain(held.trace_id)
    assert trace.verdict is Verdict.HELD_BACK
    assert kinds(trace) == [*SESSION, "spooled", "claimed", "held_back", "retried"]
    assert find(trace, "connected").fact("client_name") == "client.example.org"
    stopped = find(trace, "held_back")
    assert stopped.outcome is StepOutcome.FAILED
    assert stopped.fact("stage") == "parse"
    assert stopped.fact("reason") == "The parser failed: ZeroDivisionError"
    assert find(trace, "retried").fact("taken_in") is False

    assert await review.retry(gate.grant(), held.subject_id)
    trace = await gate.explain(held.trace_id)
    assert trace.verdict is Verdict.DELIVERED
    assert kinds(trace)[4:] == [
        *("claimed", "held_back", "retried"),
        *(*TAKEN_IN, "recorded", "retried"),
    ]


async def test_dropped_mail_shows_that_it_was_dropped(gate) -> None:
    review = gate.mailroom.services.quarantine_review()
    metadata = await gate.mailroom.spool(b"x", "nobody@example.test")
    await gate.take_in()
    await review.drop(gate.grant(), metadata.item_id)
    trace = await gate.explain(metadata.trace_id)
    assert trace.verdict is Verdict.DROPPED
    assert kinds(trace) == ["spooled", "claimed", "parsed", "held_back", "dropped"]


async def test_duplicate_shows_its_own_way_and_leads_to_the_first(
    gate,
) -> None:
    for _ in range(2):
        await gate.send(BOX)
        await gate.take_in()
    first = await gate.last_event("ingest.received")
    duplicate = await gate.last_event("message.duplicate")
    trace = await gate.explain(duplicate.trace_id)
    assert trace.verdict is Verdict.DUPLICATE
    assert kinds(trace) == [*SESSION, "spooled", *TAKEN_IN, "duplicate"]
    assert find(trace, "connected").fact("client_address") == "127.0.0.1"
    assert find(trace, "duplicate").message_id == first.subject_id
    original = await gate.explain(first.trace_id)
    assert original.verdict is Verdict.DELIVERED
    assert kinds(original)[-1] == "repeated"
    assert find(original, "repeated").fact("trace_id") == str(duplicate.trace_id)


async def test_mail_whose_webhook_failed_twice_shows_each_try(gate, clock: MovableClock) -> None:
    services = gate.mailroom.services
    caller = Caller(Egress(LOOPBACK, resolve=_resolve), services.keyring, services.clock)
    deliverer = Deliverer(services.log, caller, Settling(services.log, services.ids), services.ids)
    async with hosting(FAILS) as host:
        wish = Wish(f"http://hook.example:{host.port}/secret", types=["ingest.received"])
        await services.webhook_endpoints.add(gate.grant(permissions=SCOPES), wish)
        await gate.send(BOX)
        await gate.take_in()
        received = await gate.last_event("ingest.received")
        await services.webhooks().handle([received])
        waiting = find(await gate.explain(received.trace_id), "webhook")
        assert (waiting.outcome, waiting.fact("number")) == (StepOutcome.WAITING, 0)
        for answer in (FAILS, FAILS, TAKES):
            host.answer = answer
            assert await deliverer.deliver_due() == 1
            clock.moved_seconds += 3600
    trace = await gate.explain(received.trace_id)
    assert trace.verdict is Verdict.DELIVERED
    tries = [step for step in trace.steps if step.kind == "webhook"]
    assert kinds(trace)[-3:] == ["webhook"] * 3
    assert [each.fact("status") for each in tries] == [503, 503, 204]
    assert [each.fact("number") for each in tries] == [1, 2, 3]
    assert [each.outcome for each in tries] == [
        *(StepOutcome.WAITING, StepOutcome.WAITING, StepOutcome.DONE)
    ]
    assert all(each.duration_ms is not None for each in tries)
    assert tries[1].at - tries[0].at >= timedelta(hours=1)
    assert {each.fact("host") for each in tries} == {"hook.example"}
    assert "secret" not in str(trace.steps)
    limited = await gate.explain(received.trace_id, mailbox_ids=[gate.mailroom.mailbox.id])
    assert [step for step in limited.steps if step.kind == "webhook"] == tries


async def test_each_sees_its_own_part_and_a_stranger_sees_nothing(
    gate,
) -> None:
    services, mailbox = gate.mailroom.services, gate.mailroom.mailbox
    other_box = await gate.mailroom.add_mailbox("other@example.test")
    other = await services.tenants.create("Other", "developer")
    await services.domains.add("other.test", other.id, vouched=True)
    their_box = await services.mailboxes.add("them@other.test", other.id)
    metadata = await gate.mailroom.spool(
        b"Subject: x\r\n\r\n", mailbox.address, other_box.address, their_box.address
    )
    await gate.take_in()
    explain = gate.explain

    whole = await explain(metadata.trace_id)
    assert {each.mailbox_address for each in whole.messages} == {BOX, other_box.address}
    theirs = await explain(metadata.trace_id, tenant_id=other.id)
    assert [each.mailbox_address for each in theirs.messages] == [their_box.address]
    limited = await explain(metadata.trace_id, mailbox_ids=[other_box.id])
    assert find(limited, "routed").fact("mailboxes") == other_box.address
    assert find(limited, "recorded").message_id == limited.messages[0].id

    nowhere = UUID(int=1)
    for arguments in ({"tenant_id": nowhere}, {"mailbox_ids": []}):
        with pytest.raises(NotFound) as foreign:
            await explain(metadata.trace_id, **arguments)
        with pytest.raises(NotFound) as unknown:
            await explain(nowhere, **arguments)
        assert str(foreign.value) == str(unknown.value)
    for missing in (Permission.EVENTS_READ, Permission.MESSAGES_READ):
        with pytest.raises(NotAllowed):
            await explain(metadata.trace_id, permissions=gate.grant().permissions - {missing})


async def test_what_is_nobodys_is_for_operators(gate) -> None:
    metadata = await gate.mailroom.spool(b"Subject: x\r\n\r\n", "a@nowhere.test")
    await gate.take_in()
    with pytest.raises(NotFound):
        await gate.explain(metadata.trace_id)
    review = gate.mailroom.services.quarantine_review()
    operator = gate.grant(is_operator=True)
    assert not await review.retry(operator, metadata.item_id)
    trace = await gate.explain(metadata.trace_id, is_operator=True)
    assert kinds(trace) == ["spooled", "claimed", "parsed", "held_back", "retried"]
    assert trace.held[0].recipients == "a@nowhere.test"


async def test_mail_of_a_provider_begins_with_its_callback(gate) -> None:
    metadata = await gate.mailroom.spool(
        MAIL, source="callback", client_address="", client_name="mailgun"
    )
    await gate.take_in()
    trace = await gate.explain(metadata.trace_id)
    assert kinds(trace) == ["callback", "spooled", *TAKEN_IN, "recorded"]
    assert find(trace, "callback").fact("client_name") == "mailgun"


def _fail(*_: object) -> None:
    raise ZeroDivisionError


async def _resolve(_host: str) -> Sequence[str]:
    return ["127.0.0.1"]
