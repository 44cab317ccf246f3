"""Search: what a person types becomes a page of messages that they may see, newest first."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.clock import Clock
from app.inbox.listing import (
    MAX_PAGE,
    ROW_COLUMNS,
    Access,
    MessageRow,
    decode_cursor,
    encode_cursor,
    to_row,
)
from app.search.conditions import (
    condition_of,
    gather,
    largest_texts,
    names_of_mailboxes,
    within_folders,
)
from app.search.language import parse_query
from app.search.matching import names_mailbox
from app.search.port import Found, SearchIndex
from app.search.query import And, InMailbox, Node, Not, Query, Received, is_text
from app.storage.db.database import Database

_Place = tuple[datetime, UUID]
_FIRST_ID = UUID(int=0)
_LONGEST_CHUNK = 20_000


@dataclass(frozen=True, slots=True)
class SearchPage:
    """A page of hits; `query.words` are what to highlight in them. `notes` tell the person what
    was not understood, or not searched."""

    rows: Sequence[MessageRow]
    next_cursor: str | None
    query: Query
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Search:
    """The query language over one engine and the database.

    Spam and trash are left out unless the query says where to look, or asks for one message.
    """

    database: Database
    index: SearchIndex
    clock: Clock

    async def find(
        self, access: Access, text: str, *, cursor: str | None = None, limit: int = 50
    ) -> SearchPage:
        """What `access` shows of what matches `text`; nothing for an empty query. Raises
        `InvalidInput` for a cursor that is not ours, and `Unavailable`."""
        limit = max(1, min(limit, MAX_PAGE))
        before = decode_cursor(cursor) if cursor else None
        query = parse_query(text, self.clock.now())
        if query.is_empty:
            return SearchPage((), None, query, query.notes)
        asked = await self._ask(access, query.root)
        rows = await asked.page(before, limit + 1)
        notes = (*query.notes, *asked.notes())
        if len(rows) <= limit:
            return SearchPage(rows, None, query, notes)
        return SearchPage(
            rows[:limit],
            encode_cursor(rows[limit - 1].received_at, rows[limit - 1].id),
            query,
            notes,
        )

    async def _ask(self, access: Access, root: Node) -> "_Asked":
        """The parts of the query, each for the one who answers it."""
        addresses = await self._mailboxes(access)
        root = within_folders(root)
        parts = list(_flatten(root))
        texts = [part for part in parts if is_text(part)]
        by_engine = any(not isinstance(text, Not) for text in texts)
        rest = [part for part in parts if not (by_engine and is_text(part))]
        mailboxes = {
            name: [each for each, address in addresses.items() if names_mailbox(name, address)]
            for name in names_of_mailboxes(root)
        }
        wanted = set(addresses).intersection(
            *(mailboxes[part] for part in parts if isinstance(part, InMailbox))
        )
        return _Asked(
            search=self,
            tenant_id=access.tenant_id,
            addresses={each: address for each, address in addresses.items() if each in wanted},
            text=And(tuple(texts)) if by_engine else None,
            rest=gather(And(tuple(rest))),
            dates=[part for part in parts if isinstance(part, Received)],
            mailboxes=mailboxes,
            unsearched=set(),
        )

    async def _mailboxes(self, access: Access) -> Mapping[UUID, str]:
        rows = await self.database.fetch(
            """select id, address from mailbox
            where tenant_id = $1 and ($2::uuid[] is null or id = any($2))""",
            access.tenant_id,
            access.mailbox_ids,
        )
        return {row["id"]: row["address"] for row in rows}


@dataclass(frozen=True, slots=True)
class _Asked:
    """One query over these mailboxes: `text` is for the engine, `rest` for the database."""

    search: Search
    tenant_id: UUID
    addresses: Mapping[UUID, str]
    text: Node | None
    rest: Node
    dates: Sequence[Received]
    mailboxes: Mapping[InMailbox, Collection[UUID]]
    unsearched: set[UUID]

    async def page(self, before: _Place | None, limit: int) -> Sequence[MessageRow]:
        if not self.addresses:
            return ()
        found = {
            text: [hit.message_id for hit in (await self._find(text, None, None)).hits]
            for text in dict.fromkeys(largest_texts(self.rest))
        }
        before = min((each for each in (before, self._until()) if each), default=None)
        if self.text is None:
            return await self._rows(_BY_DATE, before, limit, found)
        return await self._walk(self.text, before, limit, found)

    async def _walk(
        self,
        text: Node,
        before: _Place | None,
        limit: int,
        found: Mapping[Node, Collection[UUID]],
    ) -> Sequence[MessageRow]:
        """Hits of the engine, newest first, each time more of them until enough of them are what
        the rest of the query asks for."""
        rows: list[MessageRow] = []
        chunk = limit + 10
        while True:
            hits = (await self._find(text, before, chunk)).hits
            if hits:
                ids = [hit.message_id for hit in hits]
                rows += await self._rows(_BY_ID, None, limit - len(rows), found, ids)
            if len(hits) < chunk or len(rows) >= limit:
                return rows
            before = (hits[-1].received_at, hits[-1].message_id)
            chunk = min(chunk * 5, _LONGEST_CHUNK)

    async def _find(self, text: Node, before: _Place | None, limit: int | None) -> Found:
        found = await self.search.index.find(
            text, list(self.addresses), since=self._since(), before=before, limit=limit
        )
        self.unsearched.update(found.unsearched)
        return found

    async def _rows(
        self,
        source: str,
        before: _Place | None,
        limit: int,
        found: Mapping[Node, Collection[UUID]],
        message_ids: Sequence[UUID] = (),
    ) -> Sequence[MessageRow]:
        arguments: list[object] = [list(self.addresses), limit]

        def argument(value: object) -> str:
            arguments.append(value)
            return f"${len(arguments)}"

        condition = condition_of(
            self.rest,
            argument,
            tenant_id=self.tenant_id,
            found=found,
            mailboxes=self.mailboxes,
        )
        if before is not None:
            place = f"({argument(before[0])}, {argument(before[1])})"
            condition += f" and (received_at, message.id) < {place}"
        ids = argument(list(message_ids)) if source is _BY_ID else ""
        sql = _PAGE.format(columns=ROW_COLUMNS, source=source.format(condition=condition, ids=ids))
        return [to_row(row) for row in await self.search.database.fetch(sql, *arguments)]

    def _since(self) -> datetime | None:
        return max((each.since for each in self.dates if each.since), default=None)

    def _until(self) -> _Place | None:
        until = min((each.until for each in self.dates if each.until), default=None)
        return (until, _FIRST_ID) if until else None

    def notes(self) -> Sequence[str]:
        if not self.unsearched:
            return ()
        names = sorted(self.addresses[mailbox_id] for mailbox_id in self.unsearched)
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        return (f"Not searched, as the index is being rebuilt: {shown}.",)


# One index is walked for each mailbox, as in the lists.
_BY_DATE = """
    select merged.* from unnest($1::uuid[]) as wanted (id) cross join lateral (
        select * from message where mailbox_id = wanted.id and {condition}
        order by received_at desc, id desc limit $2
    ) as merged"""
_BY_ID = """
    select * from message
    where message.id = any({ids}::uuid[]) and mailbox_id = any($1::uuid[]) and {condition}"""
_PAGE = """
select {columns} from (
    select * from ({source}) as message order by received_at desc, message.id desc limit $2
) as message join mailbox on mailbox.id = message.mailbox_id
order by received_at desc, message.id desc"""


def _flatten(node: Node) -> Sequence[Node]:
    if not isinstance(node, And):
        return (node,)
    return [part for each in node.parts for part in _flatten(each)]
