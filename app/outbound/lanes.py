"""Which transport our own mail leaves by."""

import sys
from contextlib import suppress

from app.core.ids import Ids
from app.outbound.outbox import Outbox
from app.outbound.transports.outbox import OutboxTransport
from app.outbound.transports.port import Transport
from app.outbound.transports.smtp import SmtpTransport
from app.settings import MailUrl, Settings


def open_outbox(settings: Settings, ids: Ids) -> Outbox:
    return Outbox(settings.pillarbox_data / "outbox", ids)


def open_transport(settings: Settings, url: MailUrl, ids: Ids) -> Transport:
    """Sign-in mail has one of its own, so that no other mail ever delays it."""
    if url.scheme == "outbox":
        return OutboxTransport(open_outbox(settings, ids), _say)
    if url.scheme == "ses":
        from app.outbound.transports.ses import SesTransport
        from app.providers.ses import Ses

        return SesTransport(
            Ses(
                region=settings.aws_region,
                access_key_id=settings.aws_access_key_id,
                secret_access_key=settings.aws_secret_access_key,
            )
        )
    return SmtpTransport(
        url.host,
        url.port,
        hostname=settings.smtp_hostname,
        tls=url.scheme == "smtps",
        username=url.username,
        password=url.password,
    )


def _say(line: str) -> None:
    with suppress(OSError):  # nobody reads it any more
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
