"""A first mail to look at, sent the way every mail comes: over SMTP."""

from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

import aiosmtplib

from app.core.clock import Clock
from app.core.errors import Unavailable
from app.settings import Listen

_TEXT = """Hello,

this is a test mail. It was handed to Pillarbox over SMTP like any other: it was on disk before
the sender was told "250", then parsed, stored and shown to you.

Reply to nobody: there is nobody behind it.
"""

_HTML = """<!doctype html><html><body>
<h1 style="font-weight: 600">Hello,</h1>
<p>this is a <strong>test mail</strong>. It was handed to Pillarbox over SMTP like any other: it
was on disk before the sender was told &ldquo;250&rdquo;, then parsed, stored and shown to you.</p>
<p>Reply to nobody: there is nobody behind it.</p>
</body></html>
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """Sends test mails to our own SMTP server."""

    smtp: Listen
    clock: Clock

    async def send(self, address: str) -> None:
        """Raises `Unavailable` when the server does not take it."""
        message = EmailMessage()
        message["From"] = "Pillarbox <hello@pillarbox.invalid>"
        message["To"] = address
        message["Subject"] = "Your first mail"
        message["Date"] = format_datetime(self.clock.now())
        message["Message-ID"] = make_msgid(domain="pillarbox.invalid")
        message.set_content(_TEXT)
        message.add_alternative(_HTML, subtype="html")
        try:
            await aiosmtplib.send(
                message,
                sender="",
                recipients=[address],
                hostname=self.smtp.host,
                port=self.smtp.port,
                use_tls=False,
                start_tls=False,
                timeout=10,
            )
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Unavailable(f"The SMTP server did not take the test mail: {error}") from error
