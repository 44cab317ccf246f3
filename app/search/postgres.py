"""The Postgres engine: our own terms as lexemes of a tsvector, in one table for all mailboxes.

Nothing of Postgres's own parsing or dictionaries is used, so both engines find the same.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from app.search.port import Document, Found, Hit
from app.search.query import Address, And, Node, Not, Or, Phrase, Prefix, Word
from app.search.terms import read_terms, term_of, terms_of_address
from app.storage.db.database import Database, Record

# Rows are first looked at by date: what many messages have is found among the newest of them, and
# what few have is found by the index on terms, and sorted.
_FIRST_WALK = 200
_LONGEST_WALK = 2_000
_MAX_WALKED_MAILBOXES = 20


@dataclass(frozen=True, slots=True)
class PostgresIndex:
    """`SearchIndex` in the table `search_document`."""

    database: Database

    async def put(self, documents: Sequence[Document]) -> None:
        rows = {document.message_id: document for document in documents}
        await self.database.execute(
            _PUT,
            list(rows),
            [_tsvector(read_terms(document)) for document in rows.values()],
        )

    async def remove(self, mailbox_id: UUID, message_ids: Sequence[UUID]) -> None:
        await self.database.execute(
            "delete from search_document where mailbox_id = $1 and message_id = any($2::uuid[])",
            mailbox_id,
            list(message_ids),
        )

    async def remove_mailbox(self, mailbox_id: UUID) -> None:
        await self.database.execute("delete from search_document where mailbox_id = $1", mailbox_id)

    async def find(
        self,
        node: Node,
        mailbox_ids: Sequence[UUID],
        *,
        since: datetime | None = None,
        before: tuple[datetime, UUID] | None = None,
        limit: int | None = None,
    ) -> Found:
        search = _Search(self.database, node, list(dict.fromkeys(mailbox_ids)), since)
        hits: list[Record] = []
        size = _FIRST_WALK if len(search.mailbox_ids) <= _MAX_WALKED_MAILBOXES else 0
        while limit is not None and 0 < size <= _LONGEST_WALK:
            walked = await search.walk(before, size)
            matching = [row for row in walked if row["matches"]]
            hits += matching
            if len(hits) >= limit or len(walked) < size:
                return _found(hits[:limit])
            before = walked[-1]["received_at"], walked[-1]["message_id"]
            size = _rows_to_walk(limit - len(hits), len(matching) / size)
        rest = None if limit is None else limit - len(hits)
        return _found([*hits, *await search.look_up(before, rest)])

    async def message_ids(self, mailbox_id: UUID) -> set[UUID]:
        rows = await self.database.fetch(
            "select message_id from search_document where mailbox_id = $1", mailbox_id
        )
        return {row["message_id"] for row in rows}

    async def generation(self, mailbox_id: UUID) -> int:  # noqa: ARG002
        return 1

    async def rebuild(self, mailbox_id: UUID, documents: AsyncIterator[Sequence[Document]]) -> None:
        """Each row is replaced by itself, so every search finds the old or the new."""
        left = await self.message_ids(mailbox_id)
        async for batch in documents:
            await self.put(batch)
            left -= {document.message_id for document in batch}
        await self.remove(mailbox_id, list(left))

    async def broken(self) -> Sequence[UUID]:
        return ()

    async def close(self) -> None:
        """The database is not ours to close."""


@dataclass(frozen=True, slots=True)
class _Search:
    """One query against the table, in its two ways."""

    database: Database
    node: Node
    mailbox_ids: Sequence[UUID]
    since: datetime | None

    async def walk(self, before: tuple[datetime, UUID] | None, size: int) -> Sequence[Record]:
        """The next rows by date, and of each whether it matches."""
        return await self.database.fetch(_WALK, *self._range(before), _tsquery(self.node), size)

    async def look_up(
        self, before: tuple[datetime, UUID] | None, limit: int | None
    ) -> Sequence[Record]:
        """What matches, by the index on terms. It knows no positions: phrases are looked for in
        what has their words, one row after the other until there are enough."""
        arguments = [*self._range(before), _tsquery(self.node), limit]
        wider = _widen(self.node, to_more=True)
        if isinstance(wider, bool):
            return await self.database.fetch(_look_up("true"), *arguments)
        return await self.database.fetch(_look_up("terms @@ $7"), *arguments, _tsquery(wider))

    def _range(self, before: tuple[datetime, UUID] | None) -> Sequence[object]:
        return (self.mailbox_ids, self.since or _EARLIEST, *(before or (_LATEST, _LAST_ID)))


def _found(rows: Sequence[Record]) -> Found:
    return Found([Hit(row["message_id"], row["received_at"]) for row in rows])


def _rows_to_walk(wanted: int, density: float) -> int:
    """How many more rows probably hold `wanted` matches; 0 where there is no telling."""
    return int(1.3 * wanted / density) + 1 if density else 0


_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)
_LAST_ID = UUID(int=(1 << 128) - 1)

_RANGE = "received_at >= $2 and (received_at, message_id) < ($3, $4::uuid)"
_NEWEST_FIRST = "order by received_at desc, message_id desc"

_PUT = """
insert into search_document (message_id, tenant_id, mailbox_id, received_at, terms)
select message.id, message.tenant_id, message.mailbox_id, message.received_at, new.terms::tsvector
from unnest($1::uuid[], $2::text[]) as new (id, terms) join message on message.id = new.id
order by message.id for key share of message
on conflict (message_id) do update set terms = excluded.terms
"""

_WALK = f"""
select message_id, received_at, terms @@ $5::tsquery as matches from (
    select rows.* from unnest($1::uuid[]) as wanted (mailbox_id) cross join lateral (
        select message_id, received_at, terms from search_document
        where mailbox_id = wanted.mailbox_id and {_RANGE} {_NEWEST_FIRST} limit $6
    ) as rows {_NEWEST_FIRST} limit $6
) as newest {_NEWEST_FIRST}
"""


def _look_up(condition: str) -> str:
    """`offset 0` keeps the planner from walking by date, or reading all terms before sorting."""
    return f"""
    select message_id, received_at from (
        select * from (
            select message_id, received_at, terms from search_document
            where mailbox_id = any($1::uuid[]) and {_RANGE} and {condition} offset 0
        ) as candidates {_NEWEST_FIRST} offset 0
    ) as sorted where terms @@ $5::tsquery limit $6
    """


def _widen(node: Node, *, to_more: bool) -> Node | bool:
    """`node` without phrases, such that it matches at least as much, or at most as much. A
    boolean stands for what always or never matches."""
    match node:
        case Phrase(words, field):
            return And(tuple(Word(word, field) for word in words)) if to_more else False
        case Not(part):
            wider = _widen(part, to_more=not to_more)
            return not wider if isinstance(wider, bool) else Not(wider)
        case And(parts) | Or(parts):
            widened = [_widen(part, to_more=to_more) for part in parts]
            decided = isinstance(node, Or)
            if decided in [each for each in widened if isinstance(each, bool)]:
                return decided
            rest = tuple(each for each in widened if not isinstance(each, bool))
            return type(node)(rest) if rest else not decided
        case _:
            return node


def _tsquery(node: Node) -> str:
    match node:
        case Word(text, field):
            return _quote(term_of(text, field))
        case Prefix(text, field):
            return _quote(term_of(text, field)) + ":*"
        case Phrase(words, field):
            return f"({' <-> '.join(_quote(term_of(word, field)) for word in words)})"
        case Address(text, field):
            return f"({' | '.join(map(_quote, terms_of_address(text, field)))})"
        case And(parts):
            return f"({' & '.join(map(_tsquery, parts))})"
        case Or(parts):
            return f"({' | '.join(map(_tsquery, parts))})"
        case Not(part):
            return f"!{_tsquery(part)}"
        case _:
            raise TypeError(f"{node} is not text")


def _tsvector(terms: Mapping[str, Sequence[int]]) -> str:
    return " ".join(
        f"{_quote(term)}:{','.join(map(str, positions))}" if positions else _quote(term)
        for term, positions in terms.items()
    )


def _quote(term: str) -> str:
    escaped = term.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
