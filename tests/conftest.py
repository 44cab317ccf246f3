"""The real engines for a run of tests, and a database of its own for each test."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from piccolo_conf import DB

from app.assembly import Services, assemble
from app.core.clock import SystemClock
from app.core.secrets import Secret
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.valkey import EmbeddedValkey
from app.settings import Settings
from app.storage.db.migrate import migrate


@dataclass
class Engines:
    postgres_url: str
    redis_url: str

    def database_url(self, name: str) -> str:
        return self.postgres_url.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """One Postgres and one Valkey, with the schema in a template database."""
    with tempfile.TemporaryDirectory(prefix="pbx-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        postgres = EmbeddedPostgres(data_folder=root / "pg", socket_folder=root / "pgs")
        valkey = EmbeddedValkey(data_folder=root / "kv", socket_folder=root / "kvs")
        try:
            for engine in (postgres, valkey):
                engine.start()
                engine.wait_ready()
            yield Engines(postgres.url, valkey.url)
        finally:
            valkey.stop()
            postgres.stop()


@pytest.fixture(scope="session")
def template_database(engines: Engines) -> str:
    """A migrated database, copied for each test in a few hundredths of a second."""
    async def make() -> None:
        connection = await asyncpg.connect(engines.postgres_url)
        await connection.execute("create database template_pillarbox")
        await connection.close()
        await migrate(DB, engines.database_url("template_pillarbox"))

    asyncio.run(make())
    return "template_pillarbox"


@pytest.fixture
async def database_url(engines: Engines, template_database: str) -> AsyncIterator[str]:
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(engines.postgres_url)
    await connection.execute(f"create database {name} template {template_database}")
    yield engines.database_url(name)
    await connection.execute(f"drop database {name} with (force)")
    await connection.close()


@dataclass
class MovableClock:
    """The real time, moved by what a test says."""

    moved_seconds: float = 0

    def now(self) -> datetime:
        return SystemClock().now() + timedelta(seconds=self.moved_seconds)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def settings(database_url: str, engines: Engines, tmp_path: Path) -> Settings:
    return Settings(
        pillarbox_data=tmp_path / "data",
        database_url=Secret(database_url),
        redis_url=Secret(engines.redis_url),
        secret_key=Secret("s" * 40),
        encryption_key=Secret("e" * 40),
        spool_min_free_bytes=0,
    )


@pytest.fixture
async def services(settings: Settings, clock: MovableClock) -> AsyncIterator[Services]:
    """A whole installation, wired as in production, on a clock that a test may move."""
    services = assemble(settings, clock=clock)
    async with services.running():
        yield services
