"""The database: one pool, transactions that Piccolo and plain SQL share, and errors translated."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

import asyncpg
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction

from app.core.errors import InvalidInput, Unavailable

# A stalled writer would hold the event log's lock and stop every other writer: the server ends
# its transaction, and those who wait give up and try again.
_SERVER_SETTINGS = {
    "application_name": "pillarbox",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "5s",
}

_OUT_OF_REACH = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.CannotConnectNowError,
)

Connection: TypeAlias = asyncpg.Connection
Record: TypeAlias = asyncpg.Record

# The connection of the unit that the running task is in.
_UNIT: ContextVar[Connection | None] = ContextVar("pillarbox_unit", default=None)


class Database:
    """Reads and transactions over one connection pool.

    Every method raises `Unavailable` when the server cannot be reached or has to be asked again,
    and `InvalidInput` for text that it cannot hold.
    Connections that the server closed are replaced when they are next needed.
    """

    def __init__(self, engine: PostgresEngine, url: str, *, pool_size: int = 8) -> None:
        self._engine = engine
        self.url = url
        self._pool_size = pool_size
        self._opened: asyncpg.Pool | None = None

    async def open(self) -> None:
        """Prepares the pool; connections are made on first use, so the server may still be down."""
        self._opened = await asyncpg.create_pool(
            self.url,
            min_size=0,
            max_size=self._pool_size,
            server_settings=_SERVER_SETTINGS,
            command_timeout=30,
            timeout=5,
            reset=_keep_as_it_is,
        )
        self._engine.config = {"dsn": self.url, "server_settings": _SERVER_SETTINGS}
        self._engine.pool = self._opened

    async def close(self) -> None:
        if self._opened is not None:
            self._opened.terminate()
            if self._engine.pool is self._opened:
                self._engine.pool = None
            self._opened = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One transaction; Piccolo queries inside run in it too. Must not be nested.

        In a unit it is a part of that: what fails here is undone here, what succeeds is undone
        with the unit.
        """
        if (whole := _UNIT.get()) is not None:
            with _translated():
                async with whole.transaction():
                    yield whole
            return
        with _translated():
            async with self._pool.acquire(timeout=5) as connection, connection.transaction():
                bound = PostgresTransaction(self._engine, allow_nested=False)
                bound.connection = connection
                context = self._engine.current_transaction.set(bound)
                try:
                    yield connection
                finally:
                    self._engine.current_transaction.reset(context)

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[Connection]:
        """One transaction for all that is read and written inside, whoever does it: `transaction`,
        `fetch` and the others take part. For one task only, and briefly: nothing slow belongs
        inside. Must not be nested."""
        async with self.transaction() as connection:
            entered = _UNIT.set(connection)
            try:
                yield connection
            finally:
                _UNIT.reset(entered)

    async def fetch(self, sql: str, *arguments: Any) -> Sequence[Record]:
        with _translated():
            rows: Sequence[Record] = await self._runner.fetch(sql, *arguments)
            return rows

    async def fetch_one(self, sql: str, *arguments: Any) -> Record | None:
        with _translated():
            row: Record | None = await self._runner.fetchrow(sql, *arguments)
            return row

    async def fetch_value(self, sql: str, *arguments: Any) -> Any:
        with _translated():
            return await self._runner.fetchval(sql, *arguments)

    async def execute(self, sql: str, *arguments: Any) -> None:
        with _translated():
            await self._runner.execute(sql, *arguments)

    async def check(self) -> None:
        """Raises `Unavailable` unless the server answers."""
        await self.fetch_value("select 1")

    @property
    def _runner(self) -> asyncpg.Pool | Connection:
        return _UNIT.get() or self._pool

    @property
    def _pool(self) -> asyncpg.Pool:
        if self._opened is None:
            raise Unavailable("The database is closed.")
        return self._opened


async def _keep_as_it_is(_: Connection) -> None:
    """Nothing here changes a session, and open transactions are ended before this is called. The
    default would ask the server once more after every query."""


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError) as error:
        raise InvalidInput("Text must not hold null characters.") from error
    except _OUT_OF_REACH as error:
        raise Unavailable(f"The database cannot be used now: {error}") from error
