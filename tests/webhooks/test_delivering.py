"""Delivering to receivers that take, fail, stall and answer in every other way."""

import asyncio
import email
import json
from collections.abc import Mapping
from datetime import timedelta

import pytest
from clocks import MovableClock
from conditions import eventually
from http_host import Host, hosting
from standardwebhooks import Webhook, WebhookVerificationError
from subscriber import Hooks, make_deliverer

from app.eventlog.types import EventType
from app.webhooks.deliveries import DeliveryState
from app.webhooks.endpoint import DisabledReason
from app.webhooks.verdict import MAX_ATTEMPTS

TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"
FAILED = b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"


def read(request: bytes) -> tuple[Mapping[str, str], bytes]:
    """Headers with names in lower case, and the body, of a request as it arrived."""
    head, _, body = request.partition(b"\r\n\r\n")
    fields = email.message_from_bytes(head.partition(b"\r\n")[2])
    return {name.lower(): value for name, value in fields.items()}, body


def answer(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "", ""]).encode()


async def test_receiver_verifies_what_it_is_sent_with_the_library(hooks: Hooks) -> None:
    async with hosting(TAKEN) as host:
        minted = await hooks.add(host.port)
        (event,) = await hooks.tell()
        assert await hooks.deliver() == 1
    headers, body = read(host.requests[0])
    payload = Webhook(minted.secret.reveal()).verify(body, dict(headers))
    assert payload["type"] == "ingest.received"
    assert payload["data"]["id"] == str(event.id)
    assert payload["data"]["links"]["subject"].endswith(f"/api/v1/messages/{event.subject_id}")
    assert headers["content-type"] == "application/json"
    (delivery,) = await hooks.list(minted.endpoint.id)
    assert (delivery.state, delivery.last_status) == (DeliveryState.DELIVERED, 204)
    (told,) = await hooks.told(EventType.WEBHOOK_DELIVERED)
    assert (told.subject_id, told.trace_id) == (delivery.id, event.trace_id)
    assert await hooks.deliver() == 0


async def test_id_stays_and_timestamp_moves_when_a_delivery_is_tried_again(
    hooks: Hooks, clock: MovableClock
) -> None:
    async with hosting(FAILED) as host:
        minted = await hooks.add(host.port)
        await hooks.tell()
        await hooks.deliver()
        assert await hooks.deliver() == 0
        clock.moved_seconds += 10
        host.answer = TAKEN
        assert await hooks.deliver() == 1
    (first, body), (second, again) = [read(request) for request in host.requests]
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) >= 10
    assert body == again
    Webhook(minted.secret.reveal()).verify(body, dict(second))
    (delivery,) = await hooks.list(minted.endpoint.id)
    story = await hooks.open(delivery)
    assert [attempt.status for attempt in story.tries] == [500, 204]
    assert story.tries[0].response_head.startswith("HTTP 500")


async def test_delivery_is_given_up_after_the_last_try(hooks: Hooks, clock: MovableClock) -> None:
    async with hosting(FAILED) as host:
        minted = await hooks.add(host.port)
        await hooks.tell()
        for _ in range(MAX_ATTEMPTS):
            assert await hooks.deliver() == 1
            clock.moved_seconds += timedelta(hours=30).total_seconds()
            await hooks.services.database.execute(
                "update webhook_endpoint set failing_since = null"
            )
        assert await hooks.deliver() == 0
    (delivery,) = await hooks.list(minted.endpoint.id)
    assert (delivery.state, delivery.attempts) == (DeliveryState.FAILED, MAX_ATTEMPTS)
    (told,) = await hooks.told(EventType.WEBHOOK_FAILED)
    assert told.data["attempts"] == MAX_ATTEMPTS
    assert await hooks.told(EventType.WEBHOOK_DELIVERED) == []


async def test_redirect_is_a_failure_and_is_not_followed(hooks: Hooks) -> None:
    async with hosting(TAKEN) as elsewhere, hosting(b"") as host:
        host.answer = answer("302 Found", f"Location: http://hook.example:{elsewhere.port}/")
        minted = await hooks.add(host.port)
        await hooks.tell()
        await hooks.deliver()
    assert (host.visits, elsewhere.visits) == (1, 0)
    (delivery,) = await hooks.list(minted.endpoint.id)
    assert (delivery.state, delivery.last_status) == (DeliveryState.PENDING, 302)


async def test_410_switches_the_endpoint_off_and_tells_its_owners(hooks: Hooks) -> None:
    async with hosting(answer("410 Gone")) as host:
        minted = await hooks.add(host.port)
        await hooks.tell(8)
        await hooks.deliver()
        asked = host.visits
        await hooks.tell(3)
        assert await hooks.deliver() == 0
    assert host.visits == asked == 4
    endpoint = await hooks.services.webhook_endpoints.find(hooks.grant, minted.endpoint.id)
    assert endpoint.disabled_reason is DisabledReason.GONE
    (told,) = await hooks.told(EventType.WEBHOOK_DISABLED)
    assert told.data == {"reason": "gone"}
    (notice,) = await hooks.services.owner_notices.claim(10)
    assert (notice.email, notice.news.subject_id) == ("ada@else.example", endpoint.id)
    assert notice.news.subject_name == f"hook.example:{host.port}"


async def test_endpoint_is_switched_off_after_five_days_of_nothing_but_failures(
    hooks: Hooks, clock: MovableClock
) -> None:
    async with hosting(FAILED) as host:
        minted = await hooks.add(host.port)
        endpoints = hooks.services.webhook_endpoints
        for day in range(6):
            assert (await endpoints.find(hooks.grant, minted.endpoint.id)).is_enabled, day
            await hooks.tell()
            while await hooks.deliver():
                pass
            clock.moved_seconds += timedelta(days=1, minutes=1).total_seconds()
    endpoint = await endpoints.find(hooks.grant, minted.endpoint.id)
    assert endpoint.disabled_reason is DisabledReason.FAILING


async def test_one_success_begins_the_five_days_anew(hooks: Hooks, clock: MovableClock) -> None:
    async with hosting(FAILED) as host:
        minted = await hooks.add(host.port)
        for _ in range(3):
            await hooks.tell()
            await hooks.deliver()
            clock.moved_seconds += timedelta(days=1).total_seconds()
        host.answer = TAKEN
        await hooks.tell()
        while await hooks.deliver():
            pass
        endpoint = await hooks.services.webhook_endpoints.find(hooks.grant, minted.endpoint.id)
    assert endpoint.failing_since is None
    assert endpoint.is_enabled


@pytest.mark.parametrize("status", ["429 Slow down", "503 Busy"])
async def test_endpoint_rests_as_long_as_it_asks(
    hooks: Hooks, clock: MovableClock, status: str
) -> None:
    async with hosting(answer(status, "Retry-After: 600")) as host:
        minted = await hooks.add(host.port)
        await hooks.tell()
        await hooks.deliver()
        host.answer = TAKEN
        await hooks.tell()
        clock.moved_seconds += 590
        assert await hooks.deliver() == 0
        clock.moved_seconds += 11
        while await hooks.deliver():
            pass
    states = {delivery.state for delivery in await hooks.list(minted.endpoint.id)}
    assert states == {DeliveryState.DELIVERED}


async def test_answer_of_ten_megabytes_is_cut(hooks: Hooks) -> None:
    written = 0

    async def pour(writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x" * 10_000)
            await writer.drain()
            written += 10_000

    async with hosting(pour) as host:
        minted = await hooks.add(host.port)
        await hooks.tell()
        await hooks.deliver()
    assert written < 9_000_000
    (delivery,) = await hooks.list(minted.endpoint.id)
    assert delivery.state is DeliveryState.DELIVERED
    assert "xxx" not in (await hooks.open(delivery)).tries[0].response_head


async def test_receiver_that_stalls_or_is_not_there_is_tried_again(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.core.egress.client import Bounds
    from app.webhooks import call

    async def stall(_writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(call, "_BOUNDS", Bounds(max_bytes=4096, total_seconds=0.2))
    async with hosting(stall) as host, hosting(TAKEN) as gone:
        stalling = await hooks.add(host.port)
        missing = await hooks.add(gone.port)
    await hooks.tell()
    assert await hooks.deliver() == 2
    for minted in (stalling, missing):
        (delivery,) = await hooks.list(minted.endpoint.id)
        assert delivery.state is DeliveryState.PENDING
        assert delivery.last_status is None
        assert delivery.last_error


async def test_both_secrets_sign_until_the_overlap_is_over(
    hooks: Hooks, clock: MovableClock
) -> None:
    async with hosting(TAKEN) as host:
        minted = await hooks.add(host.port)
        rotated = await hooks.services.webhook_endpoints.rotate_secret(
            hooks.grant, minted.endpoint.id, timedelta(hours=1)
        )
        assert rotated.secret != minted.secret
        await hooks.tell()
        await hooks.deliver()
        clock.moved_seconds += 3601
        await hooks.tell()
        await hooks.deliver()
    (during, body), (after, late) = [read(request) for request in host.requests]
    for secret in (minted.secret, rotated.secret):
        Webhook(secret.reveal()).verify(body, dict(during))
    with pytest.raises(WebhookVerificationError):
        Webhook(minted.secret.reveal()).verify(late, {**after, "webhook-timestamp": "0"})
    assert len(during["webhook-signature"].split(" ")) == 2
    assert len(after["webhook-signature"].split(" ")) == 1


async def test_ordered_endpoint_waits_for_its_first_and_others_do_not(
    hooks: Hooks, clock: MovableClock
) -> None:
    async with hosting(FAILED) as ordered, hosting(TAKEN) as free:
        strict = await hooks.add(ordered.port, is_ordered=True)
        await hooks.add(free.port)
        await hooks.tell(3)
        while await hooks.deliver():
            pass
        assert (ordered.visits, free.visits) == (1, 3)
        ordered.answer = TAKEN
        clock.moved_seconds += 10
        while await hooks.deliver():
            pass
    numbers = [
        json.loads(read(request)[1])["data"]["facts"]["number"] for request in ordered.requests
    ]
    assert numbers == [0, 0, 1, 2]
    assert len(await hooks.list(strict.endpoint.id)) == 3


async def test_hanging_endpoint_keeps_no_other_waiting(hooks: Hooks) -> None:
    async def hang(_writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with hosting(hang) as slow, hosting(TAKEN) as quick:
        await hooks.add(slow.port)
        minted = await hooks.add(quick.port)
        await hooks.tell(20)
        running = asyncio.create_task(hooks.deliverer.run())

        async def all_taken() -> bool:
            page = await hooks.list(minted.endpoint.id)
            return all(delivery.state is DeliveryState.DELIVERED for delivery in page)

        await eventually(all_taken, timeout_seconds=15)
        assert 1 <= slow.visits <= 4
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_delivery_is_sent_again_when_the_process_dies_on_the_way(
    hooks: Hooks, clock: MovableClock
) -> None:
    """Its try is on record, its result never comes: another process takes it over, once."""

    async def hang(_writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with hosting(hang) as host:
        minted = await hooks.add(host.port)
        await hooks.tell()
        dying = asyncio.create_task(hooks.deliver())

        async def arrived() -> bool:
            return bool(host.requests)

        await eventually(arrived)
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        host.answer = TAKEN
        other = make_deliverer(hooks.services)
        assert await other.deliver_due() == 0
        clock.moved_seconds += 61
        assert await other.deliver_due() == 1
    (delivery,) = await hooks.list(minted.endpoint.id)
    assert delivery.state is DeliveryState.DELIVERED
    assert [attempt.status for attempt in (await hooks.open(delivery)).tries] == [None, 204]
    assert len(await hooks.told(EventType.WEBHOOK_DELIVERED)) == 1


async def test_several_processes_deliver_each_event_once_and_in_order(hooks: Hooks) -> None:
    async with hosting(TAKEN) as ordered, hosting(TAKEN) as free:
        await hooks.add(ordered.port, is_ordered=True)
        minted = await hooks.add(free.port)
        await hooks.tell(15)
        running = [asyncio.create_task(make_deliverer(hooks.services).run()) for _ in range(3)]

        async def all_taken() -> bool:
            return (ordered.visits, free.visits) >= (15, 15)

        await eventually(all_taken)
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    for host in (ordered, free):
        numbers = [number_of(host, place) for place in range(host.visits)]
        assert sorted(numbers) == list(range(15))
    assert [number_of(ordered, place) for place in range(15)] == list(range(15))
    assert len(await hooks.list(minted.endpoint.id)) == 15


def number_of(host: Host, place: int) -> int:
    number: int = json.loads(read(host.requests[place])[1])["data"]["facts"]["number"]
    return number
