"""Sending through a mail server by SMTP submission (RFC 5321, RFC 6409)."""

import asyncio
import ssl

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from app.core.secrets import Secret
from app.outbound.compose import OutgoingMail
from app.outbound.transports.port import Outcome, SendResult, one_line

_REPLY_SECONDS = 20.0
_TRY_SECONDS = 55.0
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


class SmtpTransport:
    """One connection for each mail. Certificates are checked.

    With `tls` the connection is encrypted from its start (RFC 8314, section 3.3); otherwise where
    the server offers STARTTLS, and a password is not sent to one that does not. Within this machine
    nothing needs encryption.
    """

    name = "smtp"

    def __init__(
        self,
        host: str,
        port: int,
        *,
        hostname: str,
        tls: bool = False,
        username: str = "",
        password: Secret | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._host, self._port, self._hostname = host, port, hostname
        self._tls, self._trust = tls, trust
        self._username, self._password = username, password

    async def send(self, mail: OutgoingMail) -> SendResult:
        client = SMTP(
            hostname=self._host,
            port=self._port,
            local_hostname=self._hostname,
            timeout=_REPLY_SECONDS,
            use_tls=self._tls,
            start_tls=self._start_tls(),
            tls_context=self._trust,
            username=self._username or None,
            password=self._password.reveal() if self._password else None,
        )
        try:
            async with asyncio.timeout(_TRY_SECONDS), client:
                _, response = await client.send_message(
                    mail.message, sender=mail.mail_from, recipients=[mail.rcpt_to]
                )
        except (SMTPException, OSError, ssl.SSLError) as error:
            return _describe(error)
        return SendResult(Outcome.ACCEPTED, one_line(response))

    def _start_tls(self) -> bool | None:
        """True: the server must offer it. None: it is used where it is offered."""
        if self._tls or self._host in _THIS_MACHINE:
            return False
        return True if self._password is not None else None


def _describe(error: Exception) -> SendResult:
    """RFC 5321, section 4.2.1: a reply of 5yz means that it would fail again as it stands."""
    if isinstance(error, SMTPRecipientsRefused):
        error = error.recipients[0]
    outcome = Outcome.RETRYABLE
    if isinstance(error, SMTPNotSupported):
        outcome = Outcome.PERMANENT
    elif isinstance(error, SMTPResponseException):
        # A password that is wrong says nothing of the mail, and can be put right.
        if error.code >= 500 and not isinstance(error, SMTPAuthenticationError):
            outcome = Outcome.PERMANENT
        return SendResult(outcome, one_line(f"{error.code} {error.message}"))
    return SendResult(outcome, one_line(str(error) or type(error).__name__))
