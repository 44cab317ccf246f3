"""The real engines for a run of tests, and a database of its own for each test."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage
from uuid import uuid4

import asyncpg
import httpx
import pytest
from application import serving
from clocks import MovableClock
from dns_server import Zone, serving_dns
from mailroom import Mailroom
from redis import Redis

from app.assembly import Services, assemble
from app.core.collector import collect_seldom
from app.core.dns import Resolver
from app.core.log import configure_logging
from app.core.secrets import Secret
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.valkey import EmbeddedValkey
from app.main import web_application
from app.settings import Settings
from app.storage.db.migrate import migrate
from piccolo_conf import DB

configure_logging(human=True)

_ROOM_BYTES = 4 << 30


@dataclass
class Engines:
    postgres_url: str
    redis_url: str

    def database_url(self, name: str) -> str:
        return self.postgres_url.replace("/postgres?", f"/{name}?")


def pytest_collection_finish() -> None:
    """A fifth of the time went into looking through the tests themselves for garbage."""
    collect_seldom()


class ForgetfulPostgres(EmbeddedPostgres):
    """Does not sync: most tests ask what is written. Those about crashes start their own."""

    def _argv(self, program: Path, data_folder: str, socket_folder: str) -> Sequence[str]:
        return [*super()._argv(program, data_folder, socket_folder), "-c", "fsync=off"]


def _fast_folder() -> Path | None:
    """Memory, where there is enough of it: thousands of databases are made and dropped."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and disk_usage(memory).free > _ROOM_BYTES else None


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """One Postgres and one Valkey, with the schema in a template database."""
    with tempfile.TemporaryDirectory(prefix="pbx-", dir=_fast_folder()) as folder:
        root = Path(folder)
        root.chmod(0o755)
        postgres = ForgetfulPostgres(data_folder=root / "pg", socket_folder=root / "pgs")
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
    # Copying files takes a fifth of the time that writing them through the log takes.
    await connection.execute(
        f"create database {name} template {template_database} strategy file_copy"
    )
    yield engines.database_url(name)
    await connection.execute(f"drop database {name} with (force)")
    await connection.close()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def redis_url(engines: Engines) -> str:
    """Empty, as nothing of an earlier test may count."""
    with Redis.from_url(engines.redis_url) as redis:
        redis.flushall()
    return engines.redis_url


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    return Settings(
        pillarbox_data=tmp_path / "data",
        database_url=Secret(database_url),
        redis_url=Secret(redis_url),
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


@pytest.fixture
async def mailroom(services: Services) -> AsyncIterator[Mailroom]:
    tenant = await services.tenants.create("Example", "developer")
    await services.domains.add("example.test", tenant.id, vouched=True)
    mailbox = await services.mailboxes.add("box@example.test", tenant.id)
    writer = await services.spool.open_writer("smtp")
    drain = services.drain(await services.spool.open_reader())
    drain.positions = await drain.load_positions()
    yield Mailroom(services, writer, drain, mailbox)
    await writer.close()


@pytest.fixture
async def web(settings: Settings, clock: MovableClock) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the web application, without a server between them."""
    async with serving(web_application(assemble(settings, clock=clock))) as client:
        yield client


@pytest.fixture
async def zone() -> AsyncIterator[Zone]:
    """A DNS server on loopback, which answers what a test tells it to."""
    async with serving_dns(Zone()) as zone:
        yield zone


@pytest.fixture
def resolver(zone: Zone) -> Resolver:
    return Resolver([zone.address])
