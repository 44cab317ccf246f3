"""The declared tables and the migrated database are one schema."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from piccolo.columns import Column
from piccolo.table import Table

from app.storage.db.migrate import migrate
from app.storage.db.piccolo_app import APP_CONFIG
from piccolo_conf import DB

MIGRATIONS = list(Path(APP_CONFIG.migrations_folder_path).glob("m[0-9]*.py"))

_SAME = {
    "character varying": "VARCHAR",
    "timestamp with time zone": "TIMESTAMPTZ",
    "ARRAY": "ARRAY",
}


def declared_type(column: Column) -> str:
    if type(column).__name__ == "Array":
        return "ARRAY"
    if type(column).__name__ == "ForeignKey":
        return "UUID"
    name = column.column_type.split("(")[0].upper()
    return {"BIGSERIAL": "BIGINT"}.get(name, name)


def declared(table: type[Table]) -> dict[str, tuple[str, bool]]:
    """Column name to type and whether it may be null."""
    return {
        column._meta.db_column_name: (declared_type(column), bool(column._meta.null))
        for column in table._meta.columns
    }


async def migrated(connection: asyncpg.Connection, table: str) -> dict[str, tuple[str, bool]]:
    rows = await connection.fetch(
        """select column_name, data_type, is_nullable from information_schema.columns
        where table_schema = 'public' and table_name = $1""",
        table,
    )
    return {
        row["column_name"]: (
            _SAME.get(row["data_type"], row["data_type"].upper()),
            row["is_nullable"] == "YES",
        )
        for row in rows
    }


@pytest.mark.parametrize("table", APP_CONFIG.table_classes, ids=lambda table: table.__name__)
async def test_table_is_declared_as_the_migrations_make_it(
    database_url: str, table: type[Table]
) -> None:
    connection = await asyncpg.connect(database_url)
    assert await migrated(connection, table._meta.tablename) == declared(table)
    await connection.close()


async def test_every_table_of_the_database_is_declared(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(
        """select relname from pg_class where relnamespace = 'public'::regnamespace
            and relkind in ('r', 'p') and not relispartition"""
    )
    await connection.close()
    names = {table._meta.tablename for table in APP_CONFIG.table_classes}
    assert {row["relname"] for row in rows} - {"migration"} == names


async def test_migrations_run_once_when_several_processes_start_together(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("drop schema public cascade")
    await connection.execute("create schema public")
    await connection.close()
    script = (
        "import asyncio, sys; from piccolo_conf import DB;"
        "from app.storage.db.migrate import migrate;"
        "print(len(asyncio.run(migrate(DB, sys.argv[1]))))"
    )
    import sys

    running = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, database_url, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]
    counts = [int((await process.communicate())[0]) for process in running]
    assert sorted(counts) == [0, 0, len(MIGRATIONS)]
    assert await migrate(DB, database_url) == []


async def test_every_row_has_its_tenant(database_url: str) -> None:
    """But for those that stand above tenants, or speak of bytes that have none yet."""
    above = {
        *("Tenant", "User", "SignInRequest", "SignInLink", "SignInTries", "SessionToken"),
        *("SpoolPosition", "SpoolDeferred", "ReleasedObject", "Consumer", "Replay"),
    }
    without = {
        table.__name__
        for table in APP_CONFIG.table_classes
        if "tenant_id" not in {column._meta.db_column_name for column in table._meta.columns}
    }
    assert without == above
