"""One message from 354 to its reply."""

from time import perf_counter

from msgspec.structs import replace

from app.core.errors import StorageFull, Unavailable
from app.core.log import get_logger
from app.inbound.smtpd import replies
from app.inbound.smtpd.body import IncomingBody
from app.inbound.smtpd.limits import SmtpLimits
from app.inbound.smtpd.metrics import SmtpMetrics
from app.inbound.smtpd.replies import Refusal
from app.storage.spool.port import ItemMetadata, SpoolWriter

_log = get_logger("smtp")


class Arrival:
    """Takes the message in pieces, and at its end keeps it or says why not.

    A refusal on the way is told only at the end, as a client listens no earlier. Without a `body`
    nothing is kept and the message is refused at its end. `max_message_bytes` is a limit of the
    recipients, on top of those for everyone; 0 for none. Use it as a context manager: whatever
    ends the connection, nothing that was not accepted stays behind.
    """

    def __init__(
        self,
        metadata: ItemMetadata,
        body: IncomingBody | None,
        writer: SpoolWriter,
        limits: SmtpLimits,
        metrics: SmtpMetrics,
        *,
        max_message_bytes: int = 0,
    ) -> None:
        self.metadata = metadata
        self.size_bytes = 0
        self._body = body
        self._writer = writer
        self._limits = limits
        self._metrics = metrics
        self._max_message_bytes = max_message_bytes
        self._refusal: Refusal | None = None
        self._began_at = perf_counter()

    def __enter__(self) -> "Arrival":
        return self

    def __exit__(self, *_: object) -> None:
        if self._body is not None:
            self._body.discard()

    @property
    def never_ends(self) -> bool:
        """Whether the client sends on, far behind the point where nothing of it can be kept."""
        limit = self._limits.max_message_bytes
        return bool(limit) and self.size_bytes > 2 * limit

    async def append(self, piece: bytes) -> None:
        self.size_bytes += len(piece)
        if not self._limits.allows(self.size_bytes):
            self.refuse(self._limits.too_large())
        elif self._max_message_bytes and self.size_bytes > self._max_message_bytes:
            self.refuse(Refusal(replies.TOO_LARGE, max_message_bytes=self._max_message_bytes))
        elif self._body is not None and self._refusal is None:
            try:
                await self._body.append(piece)
            except Unavailable as error:
                self.refuse(_refusal_for(error))

    def refuse(self, refusal: Refusal) -> None:
        """The first refusal counts. What was kept so far goes at once."""
        if self._refusal is None:
            self._refusal = refusal
            if self._body is not None:
                self._body.discard()

    async def store(self) -> None:
        """Returns once the message is durable. Raises `Refusal`."""
        self.metadata = self._note_end()
        if self._refusal is not None:
            raise self._refusal
        # After the refusals that an existing recipient would meet too: it must not be told apart.
        if self._body is None:
            raise Refusal(replies.REFUSED_AFTER_DATA)
        try:
            raw = await self._body.finish()
            body, self._body = self._body, None  # From here on it is the spool's.
            try:
                await self._writer.put(self.metadata, raw)
            finally:
                body.release()
        except Unavailable as error:
            raise _refusal_for(error) from error
        self._report()

    def _note_end(self) -> ItemMetadata:
        """The metadata, with the time at which the last byte had come."""
        handover = self.metadata.handover
        if handover is None or handover.data_ms is None:
            return self.metadata
        end_ms = handover.data_ms + round((perf_counter() - self._began_at) * 1000)
        return replace(self.metadata, handover=replace(handover, data_end_ms=end_ms))

    def _report(self) -> None:
        self._metrics.messages.count()
        self._metrics.bytes.count(amount=self.size_bytes)
        _log.info(
            "smtp.accepted",
            item_id=self.metadata.item_id,
            trace_id=self.metadata.trace_id,
            client_address=self.metadata.client_address,
            recipients=len(self.metadata.envelope.rcpt_to),
            size_bytes=self.size_bytes,
        )


def _refusal_for(error: Unavailable) -> Refusal:
    full = isinstance(error, StorageFull)
    return Refusal(replies.STORAGE_FULL if full else replies.NOT_STORED)
