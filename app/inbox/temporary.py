"""Temporary inboxes: a random address, opened by a token, gone after its time.

The token is the only credential. The address is drawn apart from it and opens nothing. Wrong,
deleted and expired tokens are looked for by the same query and answered alike. Ids of messages tell
when they came (UUIDv7), but stand only in what the holder of a token is shown, and open nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import Clock
from app.core.errors import NotFound
from app.core.ids import Ids
from app.core.secrets import hash_token, new_token
from app.directory.domains import Domains
from app.directory.mailboxes import Mailbox, insert_mailbox, mailbox_created
from app.eventlog.append import EventLog
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType
from app.inbox.listing import Access
from app.inbox.temporary_limits import TemporaryLimits, read_usage
from app.storage.db.database import Database

_GONE = "This inbox does not exist, or its time is over."

# No vowels, so no words; no 0, 1, l or y, so nothing to misread. 12 of 27 are 57 bits.
_ALPHABET = "bcdfghjkmnpqrstvwxz23456789"
_ADDRESS_LENGTH = 12


@dataclass(frozen=True, slots=True)
class TemporaryInbox:
    """An open inbox, as its page shows it."""

    mailbox_id: UUID
    tenant_id: UUID
    address: str
    token: str
    expires_at: datetime
    last_expires_at: datetime
    """The latest time that extending it can lead to."""
    message_count: int
    discarded_count: int = 0
    """Mails that a limit kept out."""
    is_full: bool = False
    busy_until: datetime | None = None
    """When mail is kept again, if too much came this hour."""

    @property
    def access(self) -> Access:
        return Access(self.tenant_id, (self.mailbox_id,))


@dataclass(frozen=True, slots=True)
class TemporaryInboxes:
    """Making, opening, extending and deleting temporary inboxes."""

    database: Database
    log: EventLog
    domains: Domains
    clock: Clock
    ids: Ids
    limits: TemporaryLimits
    domain_name: str
    ttl_seconds: int
    max_ttl_seconds: int

    async def create(self) -> TemporaryInbox:
        """A new inbox on the installation's domain for them, open for `ttl_seconds`."""
        domain = await self.domains.find_receiving(self.domain_name)
        now = self.clock.now()
        token = new_token(self.ids)
        mailbox = Mailbox(
            id=self.ids.new(),
            tenant_id=domain.tenant_id,
            address=f"{self._new_local_part()}@{domain.name}",
            expires_at=now + timedelta(seconds=self.ttl_seconds),
        )
        async with self.log.transaction() as transaction:
            await insert_mailbox(
                transaction.connection,
                mailbox,
                domain_id=domain.id,
                now=now,
                token_hash=hash_token(token),
            )
            transaction.tell(mailbox_created(mailbox, trace_id=self.ids.new()))
        return await self.open(token)

    async def open(self, token: str) -> TemporaryInbox:
        """The inbox of this token. Raises `NotFound` for a wrong and for an expired one."""
        now = self.clock.now()
        row = await self.database.fetch_one(
            """select id, tenant_id, address, expires_at, created_at,
                (select count(*) from message where mailbox_id = mailbox.id) as message_count
            from mailbox where token_hash = $1 and expires_at > $2""",
            hash_token(token),
            now,
        )
        if row is None:
            raise NotFound(_GONE)
        usage = await read_usage(self.database, row["id"])
        return TemporaryInbox(
            mailbox_id=row["id"],
            tenant_id=row["tenant_id"],
            address=row["address"],
            token=token,
            expires_at=row["expires_at"],
            last_expires_at=max(row["expires_at"], row["created_at"] + self._longest),
            message_count=row["message_count"],
            discarded_count=usage.discarded_count if usage else 0,
            is_full=bool(usage and usage.is_full(self.limits)),
            busy_until=usage.hour_ends_at if usage and usage.is_busy(self.limits, now) else None,
        )

    async def extend(self, token: str) -> None:
        """Starts the inbox's time again from now, as far as `max_ttl_seconds` from its making
        allow. Raises `NotFound`."""
        now = self.clock.now()
        await self._change(
            token,
            "expires_at = greatest(expires_at, least($3, created_at + $4::interval))",
            EventType.MAILBOX_EXTENDED,
            now + timedelta(seconds=self.ttl_seconds),
            self._longest,
        )

    async def delete(self, token: str) -> None:
        """Closes the inbox at once; what it held is removed within seconds. Raises `NotFound`."""
        await self._change(token, "expires_at = $2, token_hash = null", EventType.MAILBOX_CLOSED)

    @property
    def _longest(self) -> timedelta:
        return timedelta(seconds=max(self.ttl_seconds, self.max_ttl_seconds))

    async def _change(
        self, token: str, assignment: str, event: EventType, *arguments: object
    ) -> None:
        async with self.log.transaction() as transaction:
            row = await transaction.connection.fetchrow(
                f"""update mailbox set {assignment}
                where token_hash = $1 and expires_at > $2 returning id, tenant_id""",
                hash_token(token),
                self.clock.now(),
                *arguments,
            )
            if row is None:
                raise NotFound(_GONE)
            transaction.tell(
                NewEvent(
                    event,
                    trace_id=self.ids.new(),
                    subject=("mailbox", row["id"]),
                    tenant_id=row["tenant_id"],
                    mailbox_id=row["id"],
                )
            )

    def _new_local_part(self) -> str:
        number = int.from_bytes(self.ids.random_bytes(16), "big")
        letters = []
        for _ in range(_ADDRESS_LENGTH):
            number, index = divmod(number, len(_ALPHABET))
            letters.append(_ALPHABET[index])
        return "".join(letters)
