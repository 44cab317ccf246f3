"""Searches that a person keeps under a name."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.core.clock import Clock
from app.core.errors import InvalidInput, NotFound
from app.core.ids import Ids
from app.storage.db.database import Database

MAX_NAME_CHARACTERS = 60
MAX_QUERY_CHARACTERS = 1024
_MAX_OF_A_PERSON = 50


@dataclass(frozen=True, slots=True)
class SavedSearch:
    id: UUID
    name: str
    query: str


@dataclass(frozen=True, slots=True)
class SavedSearches:
    """Keeping, listing and forgetting them. Nobody sees those of another person or tenant."""

    database: Database
    clock: Clock
    ids: Ids

    async def save(self, tenant_id: UUID, user_id: UUID, name: str, query: str) -> SavedSearch:
        """Keeps `query` as `name`, in place of what was kept under it. Without a name the query
        is its own. Raises `InvalidInput` for an empty or overlong one, or one too many."""
        query = query.strip()
        name = " ".join(name.split()) or query[:MAX_NAME_CHARACTERS]
        if not query:
            raise InvalidInput("Search for something first, then save it.")
        if len(query) > MAX_QUERY_CHARACTERS or len(name) > MAX_NAME_CHARACTERS:
            raise InvalidInput(
                f"A name has at most {MAX_NAME_CHARACTERS} characters, "
                f"a search at most {MAX_QUERY_CHARACTERS}."
            )
        if "\0" in name + query:
            raise InvalidInput("A search has no null characters.")
        row = await self.database.fetch_one(
            """insert into saved_search (id, tenant_id, user_id, name, query, created_at)
            select $1, $2, $3, $4::text, $5, $6
            where (select count(*) from saved_search
                where user_id = $3 and tenant_id = $2 and lower(name) <> lower($4::text)) < $7
            on conflict (user_id, tenant_id, lower(name))
                do update set name = excluded.name, query = excluded.query
            returning id, name, query""",
            self.ids.new(),
            tenant_id,
            user_id,
            name,
            query,
            self.clock.now(),
            _MAX_OF_A_PERSON,
        )
        if row is None:
            raise InvalidInput(f"You keep {_MAX_OF_A_PERSON} searches already: delete one first.")
        return SavedSearch(**row)

    async def list(self, tenant_id: UUID, user_id: UUID) -> Sequence[SavedSearch]:
        """By name."""
        rows = await self.database.fetch(
            """select id, name, query from saved_search
            where user_id = $2 and tenant_id = $1 order by lower(name)""",
            tenant_id,
            user_id,
        )
        return [SavedSearch(**row) for row in rows]

    async def delete(self, tenant_id: UUID, user_id: UUID, search_id: UUID) -> None:
        """Raises `NotFound`, also for another person's."""
        deleted = await self.database.fetch_value(
            """delete from saved_search where id = $3 and user_id = $2 and tenant_id = $1
            returning true""",
            tenant_id,
            user_id,
            search_id,
        )
        if not deleted:
            raise NotFound("There is no such saved search.")
