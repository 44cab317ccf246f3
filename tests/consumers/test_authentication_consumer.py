"""Who sent a message, checked when the log tells of it and again when the DNS answers at last."""

import asyncio
import base64
from collections.abc import AsyncIterator
from functools import cache
from typing import Protocol
from uuid import UUID

import dkim
import pytest
from conditions import eventually
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from dns_server import Zone, serving_dns
from mailroom import Mailroom

from app.consumers.authentication import Authentication
from app.core.dns import Resolver
from app.eventlog.consumer import ConsumerRunner
from app.inbound.authentication.authenticator import Authenticator
from app.inbound.authentication.organisation import Organisations
from app.inbox.authentication import AuthenticationView
from app.inbox.listing import Access
from app.storage.blobs.keys import raw_key

ORGANISATIONS = Organisations()


class MovableClock(Protocol):
    moved_seconds: float


MAIL = (
    b"From: Ada <ada@acme.example>\r\nTo: box@example.test\r\nSubject: Hello\r\n"
    b"Message-ID: <one@acme.example>\r\n\r\nThe text.\r\n"
)


@cache
def private_key() -> RSAPrivateKey:
    return generate_private_key(65537, 1024)


def signed(mail: bytes) -> bytes:
    pem = private_key().private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    return dkim.sign(mail, b"s1", b"acme.example", pem) + mail


@pytest.fixture
async def zone() -> AsyncIterator[Zone]:
    zone = Zone()
    public = private_key().public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    zone.add_text("s1._domainkey.acme.example", "p=" + base64.b64encode(der).decode())
    zone.add_text("_dmarc.acme.example", "v=DMARC1; p=reject")
    zone.add_text("example.org", "v=spf1 ip4:192.0.2.1 -all")
    async with serving_dns(zone):
        yield zone


@pytest.fixture
def authentication(mailroom: Mailroom, zone: Zone) -> Authentication:
    services = mailroom.services
    return Authentication(
        services.database,
        services.log,
        services.blobs,
        Authenticator(Resolver([zone.address]), ORGANISATIONS),
        services.clock,
    )


async def receive(mailroom: Mailroom, mail: bytes) -> UUID:
    await mailroom.spool(mail)
    await mailroom.take_in()
    return (await mailroom.rows())[0].id


async def find(mailroom: Mailroom, message_id: UUID) -> AuthenticationView | None:
    view = await mailroom.services.reading.open(Access(mailroom.mailbox.tenant_id), message_id)
    return view.authentication


async def test_message_is_verified_by_what_was_received_when_it_arrives(
    mailroom: Mailroom, authentication: Authentication
) -> None:
    message_id = await receive(mailroom, signed(MAIL))
    assert await find(mailroom, message_id) is None
    (event,) = await authentication.handle(await mailroom.events("ingest.received"))
    found = await find(mailroom, message_id)
    assert found is not None
    assert (found.spf, found.spf_domain) == ("pass", "example.org")
    assert (found.dkim, found.dkim_domain) == ("pass", "acme.example")
    assert (found.dmarc, found.dmarc_policy, found.is_pending) == ("pass", "reject", False)
    assert found.headline == "Verified: sent by acme.example"
    assert (event.subject, event.type) == (("message", message_id), "message.updated")
    assert event.data == {"authentication": {"spf": "pass", "dkim": "pass", "dmarc": "pass"}}


async def test_message_fails_when_its_domain_disowns_it(
    mailroom: Mailroom, authentication: Authentication
) -> None:
    message_id = await receive(mailroom, MAIL)
    await authentication.handle(await mailroom.events("ingest.received"))
    found = await find(mailroom, message_id)
    assert found is not None
    assert found.headline == "Failed: acme.example says that this is not from it"


async def test_running_consumer_tells_the_log_what_it_found(
    mailroom: Mailroom, authentication: Authentication
) -> None:
    runner = ConsumerRunner(authentication, mailroom.services.log, mailroom.services.ids.new())
    running = asyncio.create_task(runner.run())
    try:
        message_id = await receive(mailroom, signed(MAIL))

        async def is_told() -> bool:
            return bool(await mailroom.events("message.updated"))

        await eventually(is_told)
    finally:
        running.cancel()
        await asyncio.wait({running})
    assert await find(mailroom, message_id) is not None


async def test_check_is_made_again_when_the_dns_did_not_answer(
    mailroom: Mailroom, authentication: Authentication, zone: Zone, clock: MovableClock
) -> None:
    message_id = await receive(mailroom, signed(MAIL))
    zone.is_down = True
    await authentication.handle(await mailroom.events("ingest.received"))
    found = await find(mailroom, message_id)
    assert found is not None
    assert (found.spf, found.dkim, found.dmarc) == ("temperror",) * 3
    assert found.headline == "Being checked: the DNS did not answer yet"

    zone.is_down = False
    assert await authentication.check_again() == 0, "not before its time"
    clock.moved_seconds = 301
    assert await authentication.check_again() == 1
    found = await find(mailroom, message_id)
    assert found is not None
    assert (found.dmarc, found.is_pending) == ("pass", False)
    (event,) = await mailroom.events("message.updated")
    assert event.data["authentication"]["dmarc"] == "pass"
    clock.moved_seconds = 100_000
    assert await authentication.check_again() == 0


async def test_check_is_given_up_after_some_hours(
    mailroom: Mailroom, authentication: Authentication, zone: Zone, clock: MovableClock
) -> None:
    message_id = await receive(mailroom, signed(MAIL))
    zone.failing |= {"_dmarc.acme.example"}
    await authentication.handle(await mailroom.events("ingest.received"))
    for tries in range(6):
        clock.moved_seconds = 14_400 * (tries + 1)
        assert await authentication.check_again() == 1
    clock.moved_seconds *= 10
    assert await authentication.check_again() == 0
    found = await find(mailroom, message_id)
    assert found is not None
    assert (found.dmarc, found.is_pending) == ("temperror", False)
    assert found.headline == "Not verified: nothing proves that acme.example sent this"
    assert await mailroom.events("message.updated") == [], "nothing changed since the first try"


async def test_message_that_is_gone_is_passed_over(
    mailroom: Mailroom, authentication: Authentication
) -> None:
    message_id = await receive(mailroom, MAIL)
    events = await mailroom.events("ingest.received")
    await mailroom.services.database.execute("delete from message where id = $1", message_id)
    assert await authentication.handle(events) == []


async def test_other_messages_are_checked_when_one_cannot_be(
    mailroom: Mailroom, authentication: Authentication
) -> None:
    broken = await receive(mailroom, MAIL.replace(b"<one@", b"<two@"))
    (row,) = await mailroom.rows()
    await mailroom.services.blobs.delete(raw_key(mailroom.mailbox.tenant_id, row.sha256))
    whole = await receive(mailroom, signed(MAIL))
    await authentication.handle(await mailroom.events("ingest.received"))
    found = {id: await find(mailroom, id) for id in (broken, whole)}
    results = {id: view.dmarc for id, view in found.items() if view is not None}
    assert results == {broken: "permerror", whole: "pass"}


async def test_results_go_with_their_message(
    mailroom: Mailroom, authentication: Authentication
) -> None:
    message_id = await receive(mailroom, MAIL)
    await authentication.handle(await mailroom.events("ingest.received"))
    database = mailroom.services.database
    assert await database.fetch_value("select count(*) from message_authentication") == 1
    await database.execute("delete from message where id = $1", message_id)
    assert await database.fetch_value("select count(*) from message_authentication") == 0
