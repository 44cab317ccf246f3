"""What the sidecar decides and keeps: senders, recipients, and the message itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import perf_counter
from uuid import UUID

from app.core.clock import Clock
from app.core.errors import StorageFull
from app.core.ids import Ids
from app.directory.snapshot import RecipientVerdict, SnapshotFile
from app.inbound.smtpd import replies
from app.inbound.smtpd.arrival import Arrival
from app.inbound.smtpd.body import BodyMemory, IncomingBody
from app.inbound.smtpd.commands import MailCommand
from app.inbound.smtpd.limits import SmtpLimits
from app.inbound.smtpd.metrics import SmtpMetrics
from app.inbound.smtpd.origins import Origin
from app.inbound.smtpd.rates import Rates
from app.inbound.smtpd.refusals import RefusalNotes
from app.inbound.smtpd.replies import Refusal
from app.inbound.smtpd.tls import TlsFacts
from app.mime.addresses import normalise_domain
from app.mime.trace import received_field, return_path_field
from app.storage.spool.backlog_bound import BacklogFull
from app.storage.spool.port import Envelope, Handover, ItemMetadata, SpoolWriter

_REFUSALS = {
    RecipientVerdict.UNKNOWN: replies.UNKNOWN_RECIPIENT,
    RecipientVerdict.SOFT_REJECTED: replies.DOMAIN_PAUSED,
    RecipientVerdict.SUSPENDED: replies.DOMAIN_SUSPENDED,
    RecipientVerdict.NOT_HOSTED: replies.RELAYING_DENIED,
    RecipientVerdict.TRY_LATER: replies.DIRECTORY_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Client:
    """Who is connected: the address we see, since when by `time.perf_counter`, the name it gives
    itself, the protocol it chose by its hello (SMTP, ESMTP, LMTP), and what TLS it speaks, if any.
    """

    address: str
    connected_at: float
    name: str = ""
    protocol: str = ""
    tls: TlsFacts | None = None


@dataclass(slots=True)
class Transaction:
    """One mail from its MAIL on. `recipients` are those that it will be stored for, `missing` those
    of them that do not exist, of which only the reply to DATA may tell."""

    trace_id: UUID
    mail_from: str
    smtputf8: bool
    began_at: float
    """By `time.perf_counter`, as the other times."""
    size_bytes: int = 0
    """As declared; 0 if it was not."""
    max_message_bytes: int = 0
    """The largest that any of the recipients takes; 0 for no limit but ours."""
    recipients: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    accepted_count: int = 0
    first_recipient_at: float | None = None
    last_recipient_at: float | None = None

    @property
    def refused_after_data(self) -> bool:
        return bool(self.missing)


class MailHandler:
    """Answers for every connection of one sidecar.

    `require_space` raises `StorageFull` while no mail should even be sent to us, and `OSError`
    when the disk does not tell.
    """

    def __init__(
        self,
        *,
        writer: SpoolWriter,
        directory: SnapshotFile,
        require_space: Callable[[], None],
        limits: SmtpLimits,
        metrics: SmtpMetrics,
        rates: Rates,
        refusals: RefusalNotes,
        hostname: str,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self.limits = limits
        self.metrics = metrics
        self.refusals = refusals
        self.hostname = hostname
        self.rates = rates
        self._memory = BodyMemory()
        self._writer = writer
        self._directory = directory
        self._require_space = require_space
        self._clock = clock
        self._ids = ids

    def begin(self, origin: Origin, command: MailCommand) -> Transaction:
        """Raises `Refusal` for a mail that is too large, that there is no room for, or that comes
        too soon after the others."""
        if not self.limits.allows(command.size_bytes):
            raise self.limits.too_large()
        try:
            self._require_space()
        except BacklogFull as error:
            raise Refusal(replies.BACKLOG_FULL) from error
        except StorageFull as error:
            raise Refusal(replies.STORAGE_FULL) from error
        except OSError as error:
            raise Refusal(replies.NOT_STORED) from error
        self.rates.take_message(origin)
        return Transaction(
            self._ids.new(),
            command.address,
            command.smtputf8,
            perf_counter(),
            command.size_bytes,
        )

    def add_recipient(self, origin: Origin, transaction: Transaction, address: str) -> None:
        """Takes one more recipient, whatever becomes of it later, or raises `Refusal`."""
        if transaction.accepted_count >= self.limits.max_recipients:
            raise Refusal(replies.TOO_MANY_RECIPIENTS)
        self.rates.take_recipient(origin)
        if "@" not in address:
            address = f"{address}@{self.hostname}"
        verdict = self._directory.resolve(address)
        if verdict in _REFUSALS:
            raise Refusal(_REFUSALS[verdict])
        domain = normalise_domain(address.rpartition("@")[2])
        self._take_size(transaction, domain)
        self.rates.take_domain(origin, domain)
        if address not in transaction.recipients:
            transaction.recipients.append(address)
        transaction.accepted_count += 1
        transaction.last_recipient_at = now = perf_counter()
        if transaction.first_recipient_at is None:
            transaction.first_recipient_at = now
        if verdict is RecipientVerdict.REFUSE_AFTER_DATA:
            transaction.missing.append(address)

    def _take_size(self, transaction: Transaction, domain: str) -> None:
        """Raises `Refusal` where mail of the declared size is too large for this domain, whoever is
        asked for there (552 is a reply of RCPT: RFC 5321, section 4.3.2). Of several recipients the
        most generous counts for the message; what is too large for the others is discarded later.
        """
        limit = self._directory.max_message_bytes(domain)
        if limit and transaction.size_bytes > limit:
            raise Refusal(replies.TOO_LARGE, max_message_bytes=limit)
        others = transaction.max_message_bytes if transaction.accepted_count else limit
        transaction.max_message_bytes = max(limit, others) if limit and others else 0

    def open_arrival(self, client: Client, transaction: Transaction) -> Arrival:
        """Ready for the message of a transaction that has recipients."""
        item_id, received_at = self._ids.new(), self._clock.now()
        protocol = _protocol(client, smtputf8=transaction.smtputf8)
        prefix = self._trace_fields(client, transaction, protocol, item_id, received_at)
        metadata = ItemMetadata(
            item_id=item_id,
            trace_id=transaction.trace_id,
            received_at=received_at,
            envelope=Envelope(transaction.mail_from, tuple(transaction.recipients)),
            source="lmtp" if client.protocol == "LMTP" else "smtp",
            source_id="",
            client_address=client.address,
            client_name=client.name,
            prefix_size_bytes=len(prefix),
            handover=_describe(client, transaction, received_at, data_was_asked_for=True),
        )
        body = None
        if not transaction.refused_after_data:
            body = IncomingBody(self._writer, prefix, self._memory)
        return Arrival(
            metadata,
            body,
            self._writer,
            self.limits,
            self.metrics,
            max_message_bytes=transaction.max_message_bytes,
        )

    def describe(self, client: Client, transaction: Transaction | None) -> Handover:
        """How far a client that is not asked for DATA has come by now."""
        return _describe(client, transaction, self._clock.now(), data_was_asked_for=False)

    def _trace_fields(
        self,
        client: Client,
        transaction: Transaction,
        protocol: str,
        item_id: UUID,
        received_at: datetime,
    ) -> bytes:
        """Return-Path, then Received (RFC 5321, section 4.4)."""
        return return_path_field(transaction.mail_from) + received_field(
            client_name=client.name,
            client_address=client.address,
            hostname=self.hostname,
            protocol=protocol,
            item_id=item_id,
            received_at=received_at,
            tls=str(client.tls or ""),
        )


def _describe(
    client: Client, transaction: Transaction | None, now: datetime, *, data_was_asked_for: bool
) -> Handover:
    def to_ms(moment: float | None) -> int | None:
        return None if moment is None else round((moment - client.connected_at) * 1000)

    clock = perf_counter()
    return Handover(
        connected_at=now - timedelta(seconds=clock - client.connected_at),
        protocol=_protocol(client, smtputf8=transaction is not None and transaction.smtputf8),
        tls=str(client.tls or ""),
        first_recipient_ms=to_ms(transaction.first_recipient_at) if transaction else None,
        last_recipient_ms=to_ms(transaction.last_recipient_at) if transaction else None,
        data_ms=to_ms(clock) if data_was_asked_for else None,
    )


def _protocol(client: Client, *, smtputf8: bool) -> str:
    """The keyword of RFC 3848, or with SMTPUTF8 that of RFC 6531, section 4.3."""
    if client.protocol == "SMTP":
        return client.protocol  # No keyword joins HELO and TLS.
    name = f"UTF8{client.protocol.removeprefix('E')}" if smtputf8 else client.protocol
    return f"{name}S" if client.tls else name
