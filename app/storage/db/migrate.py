"""Bring a database to the newest schema."""

import contextlib
import io
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import asyncpg
from piccolo.apps.migrations.commands.forwards import ForwardsMigrationManager
from piccolo.apps.migrations.tables import Migration
from piccolo.engine.postgres import PostgresEngine

from app.core.errors import PillarboxError, Unavailable
from app.storage.db.database import Database
from app.storage.db.piccolo_app import APP_CONFIG

_OLDEST_MAJOR_VERSION = 15
# Any constant does, as long as every process uses the same one.
_LOCK = 0x50494C4C41520001


class MigrationFailed(PillarboxError):
    """A migration did not run to its end; what it had changed was rolled back."""


async def migrate(engine: PostgresEngine, database_url: str) -> Sequence[str]:
    """Runs the migrations that are missing and returns their names.

    Several processes may call it at once: the first runs them, the others wait. Raises
    `Unavailable` when there is no server and `MigrationFailed` when one failed.
    """
    engine.config = {"dsn": database_url}
    async with _lock(database_url):
        before = await _names_that_ran()
        report = io.StringIO()
        try:
            with contextlib.redirect_stdout(report):
                result = await ForwardsMigrationManager(app_name=APP_CONFIG.app_name).run()
        except asyncpg.PostgresError as error:
            raise MigrationFailed(f"The database could not be migrated: {error}") from error
        if not result.success:
            raise MigrationFailed(f"The database could not be migrated: {result.message}")
        return [name for name in await _names_that_ran() if name not in before]


async def _names_that_ran() -> Sequence[str]:
    if not await Migration.table_exists():
        return []
    rows = await Migration.select(Migration.name).where(Migration.app_name == APP_CONFIG.app_name)
    return [row["name"] for row in rows]


@contextlib.asynccontextmanager
async def _lock(database_url: str) -> AsyncIterator[None]:
    try:
        connection = await asyncpg.connect(database_url, timeout=10)
    except (OSError, asyncpg.PostgresError) as error:
        raise Unavailable(f"The database cannot be reached: {error}") from error
    try:
        version = connection.get_server_version().major
        if version < _OLDEST_MAJOR_VERSION:
            raise MigrationFailed(
                f"Postgres {version} is too old: {_OLDEST_MAJOR_VERSION} or newer is needed."
            )
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        yield
    finally:
        await connection.close()


async def has_newest_schema(database: Database) -> bool:
    """Whether every migration of this release ran. Raises `Unavailable`."""
    if not await database.fetch_value("select to_regclass('migration') is not null"):
        return False
    rows = await database.fetch(
        "select name from migration where app_name = $1", APP_CONFIG.app_name
    )
    return _names_of_release() <= {row["name"] for row in rows}


def _names_of_release() -> set[str]:
    folder = Path(APP_CONFIG.resolved_migrations_folder_path)
    return {file.stem[1:5] for file in folder.glob("m[0-9][0-9][0-9][0-9]_*.py")}
