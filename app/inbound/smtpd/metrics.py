"""What the sidecar counts of its conversations."""

from app.core.metrics import Metrics
from app.inbound.smtpd.replies import Reply

_TRANSACTION_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class SmtpMetrics:
    """Made once for a sidecar. Everything is counted by the thread of its event loop."""

    def __init__(self, metrics: Metrics) -> None:
        self.open_connections = 0
        metrics.gauge(
            "pillarbox_smtp_connections", "Clients served now.", lambda: self.open_connections
        )
        self.connections = metrics.counter(
            "pillarbox_smtp_connections_opened_total", "Clients that connected."
        )
        self.messages = metrics.counter(
            "pillarbox_smtp_messages_total", "Messages answered with 250 after DATA."
        )
        self.bytes = metrics.counter(
            "pillarbox_smtp_message_bytes_total", "Bytes of those messages, as they were sent."
        )
        self.transaction_seconds = metrics.histogram(
            "pillarbox_smtp_transaction_seconds",
            "From MAIL to the reply to the message, accepted or not.",
            _TRANSACTION_SECONDS,
        )
        self._replies = metrics.counter(
            "pillarbox_smtp_replies_total", "Refusals, by reply code and cause.", "code", "cause"
        )

    def count_reply(self, reply: Reply) -> None:
        """One more refusal. A reply without a cause is none."""
        if reply.cause:
            self._replies.count(str(reply.code), reply.cause)
