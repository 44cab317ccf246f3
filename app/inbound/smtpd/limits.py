"""What one client may ask of the sidecar."""

from dataclasses import dataclass
from typing import Self

from app.inbound.smtpd import replies
from app.inbound.smtpd.replies import Refusal
from app.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpLimits:
    """Times follow RFC 5321, section 4.5.3.2; the number of recipients its section 4.5.3.1.8."""

    max_message_bytes: int
    """Of a message as it was before transparency dots (RFC 1870); 0 for no limit."""
    max_recipients: int = 100
    max_errors: int = 10
    """Of unrecognised or malformed command lines, before the connection is closed."""
    max_fruitless_commands: int = 100
    """That were refused, or were none of MAIL, RCPT and DATA, since the last message was taken."""
    max_connection_messages: int = 1000
    max_connection_recipients: int = 10_000
    """Of one connection; 0 for no limit. A client that is trusted may go on."""
    hello_timeout_seconds: float = 60.0
    """From the connection to the end of EHLO or HELO."""
    command_timeout_seconds: float = 300.0
    """From the end of one command to the end of the next, so that a dribble does not extend it."""
    data_timeout_seconds: float = 300.0
    """Of silence during DATA."""
    data_bytes_per_second: float = 1024.0
    """What DATA must keep up on average once it has taken `data_timeout_seconds`."""
    handshake_timeout_seconds: float = 30.0
    """From the reply to STARTTLS to the end of the handshake."""
    proxy_timeout_seconds: float = 10.0
    """For the PROXY header of a proxy that is believed."""

    @classmethod
    def read(cls, settings: Settings) -> Self:
        return cls(
            max_message_bytes=settings.smtp_max_message_bytes,
            max_recipients=settings.smtp_max_recipients,
            max_errors=settings.smtp_max_errors,
            max_fruitless_commands=settings.smtp_max_fruitless_commands,
            max_connection_messages=settings.smtp_max_connection_messages,
            max_connection_recipients=settings.smtp_max_connection_recipients,
            hello_timeout_seconds=settings.smtp_hello_timeout_seconds,
            command_timeout_seconds=settings.smtp_command_timeout_seconds,
            data_timeout_seconds=settings.smtp_data_timeout_seconds,
            data_bytes_per_second=settings.smtp_data_bytes_per_second,
        )

    def allows(self, size_bytes: int) -> bool:
        return not self.max_message_bytes or size_bytes <= self.max_message_bytes

    def data_patience(self, elapsed_seconds: float, received_bytes: int) -> float:
        """How long to wait for the next bytes of DATA."""
        earned_seconds = self.data_timeout_seconds + received_bytes / self.data_bytes_per_second
        return min(self.data_timeout_seconds, earned_seconds - elapsed_seconds)

    def data_wasted_seconds(self, elapsed_seconds: float, received_bytes: int) -> float:
        """How much longer DATA took than its least rate allows."""
        return elapsed_seconds - received_bytes / self.data_bytes_per_second

    def too_large(self) -> Refusal:
        return Refusal(replies.TOO_LARGE, max_message_bytes=self.max_message_bytes)
