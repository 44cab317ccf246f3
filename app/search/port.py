"""What a search engine promises, whichever it is.

An engine holds the text of messages and when they were received, nothing that changes: flags,
folders and labels are asked of the database. What it holds can be made again from stored mail.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from app.core.errors import PillarboxError
from app.search.query import Node


class IndexBroken(PillarboxError):
    """The index of one mailbox cannot be read or written and has to be rebuilt."""

    def __init__(self, mailbox_id: UUID, reason: str) -> None:
        super().__init__(f"The search index of mailbox {mailbox_id} is broken: {reason}")
        self.mailbox_id = mailbox_id


@dataclass(frozen=True, slots=True)
class Document:
    """What is searched of a message. `to` and `cc` are header fields as the message row has
    them; `text` is the whole body as text, of which only the first words count."""

    message_id: UUID
    tenant_id: UUID
    mailbox_id: UUID
    received_at: datetime
    subject: str
    sender_name: str
    sender_address: str
    to: str
    cc: str
    text: str
    file_names: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that matches."""

    message_id: UUID
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """Hits, newest first by (received_at, message_id), and the mailboxes that could not be
    searched because their index is broken or not built yet."""

    hits: Sequence[Hit]
    unsearched: Sequence[UUID] = ()


class SearchIndex(Protocol):
    """One process of an installation writes (the indexer); any may search at the same time.

    Every operation raises `Unavailable` when what the engine stands on is away.
    """

    async def put(self, documents: Sequence[Document]) -> None:
        """Adds the documents, in place of what was there of the same messages. Durable and found
        when it returns. Doing it twice changes nothing. Raises `IndexBroken`."""
        ...

    async def remove(self, mailbox_id: UUID, message_ids: Sequence[UUID]) -> None:
        """The messages are found no more; those that were not there are passed over. Raises
        `IndexBroken`."""
        ...

    async def remove_mailbox(self, mailbox_id: UUID) -> None:
        """Nothing of the mailbox is left, broken or not."""
        ...

    async def find(
        self,
        node: Node,
        mailbox_ids: Sequence[UUID],
        *,
        since: datetime | None = None,
        before: tuple[datetime, UUID] | None = None,
        limit: int | None = None,
    ) -> Found:
        """What matches `node`, for which `is_text` holds, in these mailboxes: received at `since`
        or later, and sorting before `before`; the newest `limit` of it, or all."""
        ...

    async def message_ids(self, mailbox_id: UUID) -> set[UUID]:
        """All messages that the index of the mailbox holds. Raises `IndexBroken`."""
        ...

    async def generation(self, mailbox_id: UUID) -> int:
        """How many changes the mailbox's index holds, to be compared with an earlier answer: less
        means that a power cut or somebody took back what was written since. 0 where there is no
        index. An engine that cannot lose what it wrote always says 1."""
        ...

    async def rebuild(self, mailbox_id: UUID, documents: AsyncIterator[Sequence[Document]]) -> None:
        """Builds the mailbox's index anew from all its documents, in batches.

        Searches are answered from the old index until the new one takes its place at once. What
        is put and removed meanwhile counts for both. When it fails the old index stays.
        """
        ...

    async def broken(self) -> Sequence[UUID]:
        """Mailboxes that have to be rebuilt: a reader or a writer stumbled over their index, and
        no rebuild has succeeded since."""
        ...

    async def close(self) -> None: ...
