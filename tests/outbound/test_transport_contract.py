"""What every transport promises, against a real server or folder behind each."""

import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from moto.server import ThreadedMotoServer
from moto.ses.models import ses_backends
from smtp_server import listening

from app.core.ids import Ids
from app.core.secrets import Secret
from app.outbound.compose import OutgoingMail, compose
from app.outbound.mail_templates import Words
from app.outbound.outbox import Outbox
from app.outbound.transports.outbox import OutboxTransport
from app.outbound.transports.port import Outcome, Transport
from app.outbound.transports.ses import SesTransport
from app.outbound.transports.smtp import SmtpTransport
from app.providers.ses import Ses

SENDER = "Pillarbox <no-reply@pillarbox.test>"


@dataclass
class Route:
    """A transport, what came out at its end, and how to break that end."""

    transport: Transport
    arrived: Callable[[], list[bytes]]
    close: Callable[[], None]


class Receiver:
    def __init__(self) -> None:
        self.mails: list[bytes] = []

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody@"):
            return "550 5.1.1 No such mailbox"
        if address.startswith("later@"):
            return "451 4.3.0 Not now"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.mails.append(envelope.content)
        return "250 2.0.0 queued as 42"


@pytest.fixture
async def smtp() -> AsyncIterator[Route]:
    receiver = Receiver()
    async with listening(receiver, "127.0.0.1", enable_SMTPUTF8=True) as port:
        transport = SmtpTransport("127.0.0.1", port, hostname="client.test")

        def close() -> None:
            transport._port = 1

        yield Route(transport, lambda: receiver.mails, close)


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def ses(aws: str) -> Route:
    def client(url: str) -> Ses:
        return Ses(
            region="us-east-1",
            access_key_id="key",
            secret_access_key=Secret("secret"),
            endpoint_url=url,
        )

    reset = urllib.request.Request(f"{aws}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset).close()
    ours = client(aws)
    ours._client.create_email_identity(EmailIdentity="no-reply@pillarbox.test")
    transport = SesTransport(ours)

    def arrived() -> list[bytes]:
        messages = ses_backends["123456789012"]["us-east-1"].sent_messages
        return [message.raw_data.encode() for message in messages]

    def close() -> None:
        transport._ses = client("http://127.0.0.1:1")

    return Route(transport, arrived, close)


@pytest.fixture
def outbox(tmp_path: Path) -> Route:
    box = Outbox(tmp_path / "outbox", Ids())

    def close() -> None:
        (tmp_path / "outbox").write_text("in the way")

    return Route(
        OutboxTransport(box, lambda line: None),
        lambda: [item.raw for item in box.list_newest()],
        close,
    )


@pytest.fixture(params=["smtp", "ses", "outbox"])
def route(request: pytest.FixtureRequest, smtp: Route, ses: Route, outbox: Route) -> Route:
    return {"smtp": smtp, "ses": ses, "outbox": outbox}[request.param]


def make_mail(
    recipient: str = "ada@example.test", *, subject: str = "Hello", text: str = "Hello\n"
) -> OutgoingMail:
    words = Words(subject, text, f"<p>{text}</p>")
    return compose(
        words,
        sender=SENDER,
        recipient=recipient,
        message_id=uuid4(),
        date=datetime(2026, 11, 22, tzinfo=UTC),
    )


def read(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    return message


async def test_mail_arrives_as_it_was_composed(route: Route) -> None:
    subject, text = "Grüße, 日本 🎈", "Ünïcödé\n.\n..dots\n" + "x" * 2000 + "\n"
    result = await route.transport.send(make_mail(subject=subject, text=text))
    assert (result.outcome, "\n" in result.response) == (Outcome.ACCEPTED, False)
    (raw,) = route.arrived()
    message = read(raw)
    assert message["Subject"] == subject
    assert message["From"] == SENDER
    assert message["To"] == "ada@example.test"
    plain, html = message.iter_parts()
    assert plain.get_content().replace("\r\n", "\n") == text
    assert html.get_content_type() == "text/html"


async def test_two_mails_arrive_apart(route: Route) -> None:
    for number in range(2):
        await route.transport.send(make_mail(f"user{number}@example.test"))
    assert {read(raw)["To"] for raw in route.arrived()} == {
        "user0@example.test",
        "user1@example.test",
    }


async def test_other_side_being_away_is_worth_another_try(route: Route) -> None:
    route.close()
    result = await route.transport.send(make_mail())
    assert result.outcome is Outcome.RETRYABLE
    assert result.response
    assert "\n" not in result.response


async def test_smtp_says_for_good_or_for_now(smtp: Route) -> None:
    never = await smtp.transport.send(make_mail("nobody@example.test"))
    assert (never.outcome, never.response) == (Outcome.PERMANENT, "550 5.1.1 No such mailbox")
    later = await smtp.transport.send(make_mail("later@example.test"))
    assert (later.outcome, later.response) == (Outcome.RETRYABLE, "451 4.3.0 Not now")
    assert smtp.arrived() == []


async def test_ses_refusal_is_for_good(ses: Route) -> None:
    mail = make_mail()
    unverified = OutgoingMail("stranger@example.org", mail.rcpt_to, mail.message)
    result = await ses.transport.send(unverified)
    assert result.outcome is Outcome.PERMANENT
    assert "MessageRejected" in result.response


async def test_ses_tells_its_own_id(ses: Route) -> None:
    assert (await ses.transport.send(make_mail())).reference


async def test_address_beyond_ascii_goes_where_it_can(smtp: Route, outbox: Route) -> None:
    for route in (smtp, outbox):
        result = await route.transport.send(make_mail("jürgen@bücher.example"))
        assert result.outcome is Outcome.ACCEPTED
        assert "jürgen@bücher.example" in str(read(route.arrived()[0])["To"])


async def test_outbox_tells_the_link_on_one_line(tmp_path: Path) -> None:
    said: list[str] = []
    transport = OutboxTransport(Outbox(tmp_path, Ids()), said.append)
    await transport.send(make_mail(text="Open\n\nhttp://127.0.0.1:8000/sign-in/abc\n\nthen\n"))
    await transport.send(make_mail(text="No link here\n"))
    assert said == [
        "Mail to ada@example.test: Hello: http://127.0.0.1:8000/sign-in/abc",
        "Mail to ada@example.test: Hello",
    ]


async def test_outbox_item_is_found_by_its_reference(tmp_path: Path) -> None:
    box = Outbox(tmp_path, Ids())
    result = await OutboxTransport(box, lambda line: None).send(make_mail())
    assert read(box.find(UUID(result.reference)).raw)["Subject"] == "Hello"
