"""All sealed secrets of an installation, whatever they are for: which key each needs, and sealing
them anew with the first one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.encryption import Keyring
from app.core.errors import PillarboxError
from app.core.log import get_logger
from app.storage.db.database import Connection, Database
from app.storage.sealed_columns import SEALED_COLUMNS, SealedColumn

_log = get_logger("encryption")
_ROWS_PER_TRANSACTION = 100


@dataclass(frozen=True, slots=True)
class Resealed:
    """What a pass over all of them came to. `unreadable` names those that no key of ours opens, as
    `table.column/key`; they stay as they are."""

    secrets: int
    unreadable: Sequence[str]


@dataclass(frozen=True, slots=True)
class SealedSecrets:
    """Counting and resealing. `columns` is a parameter for tests alone."""

    database: Database
    keyring: Keyring
    columns: Sequence[SealedColumn] = SEALED_COLUMNS

    async def count_by_key(self) -> Mapping[str, int]:
        """How many secrets each key sealed, by the key's id."""
        counts: dict[str, int] = {}
        for column in self.columns:
            rows = await self.database.fetch(
                f"""select encode(substring({column.column} from 2 for 8), 'hex') as key_id,
                    count(*) as secrets
                from {column.table} where {column.column} is not null group by 1"""
            )
            for row in rows:
                counts[row["key_id"]] = counts.get(row["key_id"], 0) + row["secrets"]
        return counts

    async def reseal(self, note_progress: Callable[[int, int], None]) -> Resealed:
        """Seals with the first key whatever another one sealed, beside whoever reads and writes.

        `note_progress` hears how many are done, of how many. A pass that was cut off leaves whole
        rows of either kind; the next one takes what is left. Raises `Unavailable`.
        """
        waiting = [(column, await self._find(column)) for column in self.columns]
        total = sum(len(keys) for _, keys in waiting)
        done = 0
        unreadable: list[str] = []
        for column, keys in waiting:
            for start in range(0, len(keys), _ROWS_PER_TRANSACTION):
                part = keys[start : start + _ROWS_PER_TRANSACTION]
                unreadable += await self._reseal_part(column, part)
                done += len(part)
                note_progress(done, total)
        _log.info("encryption.reseal", secrets=total, unreadable=len(unreadable), outcome="done")
        return Resealed(total - len(unreadable), unreadable)

    async def _find(self, column: SealedColumn) -> Sequence[Any]:
        """The primary keys of what another key sealed."""
        rows = await self.database.fetch(
            f"select {column.key} as key from {column.table} where {_sealed_otherwise(column, 1)}",
            self.keyring.sealing_head,
        )
        return [row["key"] for row in rows]

    async def _reseal_part(self, column: SealedColumn, keys: Sequence[Any]) -> Sequence[str]:
        """Returns those that cannot be read. What was changed or deleted meanwhile is left."""
        async with self.database.transaction() as connection:
            rows = await connection.fetch(
                f"""select {column.key} as key, {column.column} as sealed from {column.table}
                where {column.key} = any($2) and {_sealed_otherwise(column, 1)} for update""",
                self.keyring.sealing_head,
                list(keys),
            )
            unreadable = []
            for row in rows:
                try:
                    await self._reseal_row(connection, column, row["key"], row["sealed"])
                except PillarboxError as error:
                    unreadable.append(column.context(row["key"]))
                    _log.error(
                        "encryption.reseal",
                        secret=unreadable[-1],
                        outcome="unreadable",
                        reason=str(error),
                    )
            return unreadable

    async def _reseal_row(
        self, connection: Connection, column: SealedColumn, key: Any, sealed: bytes
    ) -> None:
        context = column.context(key)
        plain = self.keyring.decrypt(sealed, context)
        await connection.execute(
            f"update {column.table} set {column.column} = $2 where {column.key} = $1",
            key,
            self.keyring.encrypt(plain, context),
        )


def _sealed_otherwise(column: SealedColumn, parameter: int) -> str:
    """A condition: not by the key whose `sealing_head` is that parameter."""
    head = f"${parameter}::bytea"
    return f"substring({column.column} from 1 for length({head})) <> {head}"
