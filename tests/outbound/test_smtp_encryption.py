"""When SMTP is encrypted, and to whom a password is shown.

The servers listen on 127.0.0.2, which to the transport is not this machine.
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from certificates import make_certificate
from smtp_server import listening
from test_transport_contract import make_mail

from app.core.secrets import Secret
from app.outbound.transports.port import Outcome
from app.outbound.transports.smtp import SmtpTransport

HOST = "127.0.0.2"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for HOST, signed by itself, and its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(b"".join(make_certificate("mail.test", HOST)))
    return path


class Watcher:
    """Remembers how each mail came."""

    def __init__(self) -> None:
        self.came: list[tuple[bool, str]] = []
        self.logins: list[str] = []

    def login(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        return AuthResult(success=data.password == b"right", handled=False, auth_data=data)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        login = session.auth_data.login.decode() if session.auth_data else ""
        self.came.append((server.transport.get_extra_info("sslcontext") is not None, login))
        return "250 OK"


Start = Callable[..., Awaitable[int]]


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
async def start(watcher: Watcher) -> AsyncIterator[Start]:
    """Starts a server and tells its port."""
    async with AsyncExitStack() as servers:

        async def start(**options: Any) -> int:
            return await servers.enter_async_context(listening(watcher, HOST, **options))

        yield start


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


async def test_starttls_is_used_where_it_is_offered(
    start: Start, watcher: Watcher, certificate: Path
) -> None:
    port = await start(tls_context=server_context(certificate))
    transport = SmtpTransport(HOST, port, hostname="client.test", trust=trusting(certificate))
    assert (await transport.send(make_mail())).outcome is Outcome.ACCEPTED
    assert watcher.came == [(True, "")]


async def test_mail_without_password_goes_where_no_encryption_is_offered(
    start: Start, watcher: Watcher
) -> None:
    transport = SmtpTransport(HOST, await start(), hostname="client.test")
    assert (await transport.send(make_mail())).outcome is Outcome.ACCEPTED
    assert watcher.came == [(False, "")]


async def test_password_is_not_sent_where_no_encryption_is_offered(
    start: Start, watcher: Watcher
) -> None:
    port = await start(authenticator=watcher.login, auth_require_tls=False)
    transport = SmtpTransport(
        HOST, port, hostname="client.test", username="ada", password=Secret("right")
    )
    assert (await transport.send(make_mail())).outcome is Outcome.RETRYABLE
    assert (watcher.logins, watcher.came) == ([], [])


@pytest.mark.parametrize(
    ("password", "outcome"), [("right", Outcome.ACCEPTED), ("wrong", Outcome.RETRYABLE)]
)
async def test_password_is_sent_encrypted(
    start: Start, watcher: Watcher, certificate: Path, password: str, outcome: Outcome
) -> None:
    port = await start(tls_context=server_context(certificate), authenticator=watcher.login)
    transport = SmtpTransport(
        HOST,
        port,
        hostname="client.test",
        username="ada",
        password=Secret(password),
        trust=trusting(certificate),
    )
    assert (await transport.send(make_mail())).outcome is outcome
    assert set(watcher.logins) == {"ada"}
    assert watcher.came == ([(True, "ada")] if outcome is Outcome.ACCEPTED else [])


async def test_smtps_is_encrypted_from_its_start(
    start: Start, watcher: Watcher, certificate: Path
) -> None:
    port = await start(ssl_context=server_context(certificate))
    transport = SmtpTransport(
        HOST, port, hostname="client.test", tls=True, trust=trusting(certificate)
    )
    assert (await transport.send(make_mail())).outcome is Outcome.ACCEPTED
    assert watcher.came == [(True, "")]


@pytest.mark.parametrize("tls", [False, True])
async def test_mail_stays_here_when_the_certificate_is_not_to_be_trusted(
    start: Start, watcher: Watcher, certificate: Path, tls: bool
) -> None:
    context = server_context(certificate)
    port = await start(**({"ssl_context": context} if tls else {"tls_context": context}))
    transport = SmtpTransport(HOST, port, hostname="client.test", tls=tls)
    result = await transport.send(make_mail())
    assert result.outcome is Outcome.RETRYABLE
    assert "certificate" in result.response.lower()
    assert watcher.came == []
