"""What one client may ask of the sidecar."""

from dataclasses import dataclass

from app.inbound.smtpd import replies
from app.inbound.smtpd.replies import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpLimits:
    """Times follow RFC 5321, section 4.5.3.2; the number of recipients its section 4.5.3.1.8."""

    max_message_bytes: int
    """Of a message as it was before transparency dots (RFC 1870); 0 for no limit."""
    max_recipients: int = 100
    max_errors: int = 10
    """Of unrecognised or malformed command lines, before the connection is closed."""
    command_timeout_seconds: float = 300.0
    """From the end of one command to the end of the next, so that a dribble does not extend it."""
    data_timeout_seconds: float = 300.0
    """Of silence during DATA."""
    data_bytes_per_second: float = 1024.0
    """What DATA must keep up on average once it has taken `data_timeout_seconds`."""

    handshake_timeout_seconds: float = 30.0
    """From the reply to STARTTLS to the end of the handshake."""

    def allows(self, size_bytes: int) -> bool:
        return not self.max_message_bytes or size_bytes <= self.max_message_bytes

    def data_patience(self, elapsed_seconds: float, received_bytes: int) -> float:
        """How long to wait for the next bytes of DATA."""
        earned_seconds = self.data_timeout_seconds + received_bytes / self.data_bytes_per_second
        return min(self.data_timeout_seconds, earned_seconds - elapsed_seconds)

    def too_large(self) -> Refusal:
        return Refusal(replies.TOO_LARGE, max_message_bytes=self.max_message_bytes)
