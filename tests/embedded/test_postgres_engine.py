"""Postgres from the wheel, or from a folder that is named."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import asyncpg
import pytest
from installation import PROGRAMS, copy_cluster, wait_until

from app.embedded import engine
from app.embedded.errors import AlreadyRunning, EngineFailed
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.process import is_alive, processes_in

DEBIAN_BIN = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture
def new_postgres(folder: Path) -> Iterator[EmbeddedPostgres]:
    """Without a data folder yet."""
    engine = EmbeddedPostgres(data_folder=folder / "postgres", socket_folder=folder / "sockets")
    yield engine
    engine.stop()


@pytest.fixture
def postgres(new_postgres: EmbeddedPostgres, made_cluster: Path) -> EmbeddedPostgres:
    copy_cluster(made_cluster, new_postgres.data_folder)
    return new_postgres


def same_folders(postgres: EmbeddedPostgres, bin_folder: Path | None = None) -> EmbeddedPostgres:
    return EmbeddedPostgres(
        data_folder=postgres.data_folder,
        socket_folder=postgres.socket_folder,
        bin_folder=bin_folder,
    )


def start(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    postgres.wait_ready()


async def ask(postgres: EmbeddedPostgres, query: str) -> object:
    connection = await asyncpg.connect(postgres.url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def processor_ticks(pid: int) -> int:
    """In user mode: field 14 of proc_pid_stat(5), the third being the first after the name."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[14 - 3])


@contextlib.contextmanager
def running(argv: Sequence[object], user: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [str(argument) for argument in argv],
        env={"PYTHONPATH": str(PROGRAMS.parents[2]), "PATH": os.defpath},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        user=user,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_it_answers_durably_and_on_its_socket_only_when_ready(
    new_postgres: EmbeddedPostgres,
) -> None:
    postgres = new_postgres
    start(postgres)
    assert await ask(postgres, "SHOW fsync") == "on"
    assert await ask(postgres, "SHOW synchronous_commit") == "on"
    assert await ask(postgres, "SHOW listen_addresses") == ""
    assert await ask(postgres, "SHOW server_encoding") == "UTF8"
    assert await ask(postgres, "SELECT lower('ÄÖÜ')") == "äöü"
    await ask(postgres, "CREATE EXTENSION pg_trgm")
    assert postgres.socket_folder.stat().st_mode & 0o777 == 0o700
    assert postgres.data_folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes to another account")
def test_its_processes_are_not_of_root_when_root_starts_it(postgres: EmbeddedPostgres) -> None:
    start(postgres)
    pids = processes_in(postgres.data_folder, "postgres")
    assert len(pids) > 3
    assert all(Path(f"/proc/{pid}").stat().st_uid != 0 for pid in pids)


async def test_rows_are_kept_when_it_is_killed_and_started_again(
    postgres: EmbeddedPostgres,
) -> None:
    start(postgres)
    await ask(postgres, "CREATE TABLE kept AS SELECT 42 AS answer")
    for pid in processes_in(postgres.data_folder, "postgres"):
        with contextlib.suppress(ProcessLookupError):  # each ends when it sees that another one has
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not postgres.running)
    start(postgres)
    assert await ask(postgres, "SELECT answer FROM kept") == 42


def test_it_starts_when_the_pid_files_name_a_process_that_is_not_postgres(
    postgres: EmbeddedPostgres,
) -> None:
    start(postgres)
    assert postgres.process
    postgres.process.kill()
    wait_until(lambda: not postgres.running)
    owner = postgres.data_folder.stat().st_uid  # whose processes Postgres takes for its own
    with running(["sleep", "60"], user=owner) as another:
        for stale in (
            postgres.data_folder / "postmaster.pid",
            postgres.socket_folder / ".s.PGSQL.5432.lock",
        ):
            lines = stale.read_text().splitlines()
            stale.write_text("\n".join([str(another.pid), *lines[1:]]) + "\n")
        start(postgres)
    assert postgres.is_ready()


def test_a_second_one_is_refused_when_the_folder_is_in_use(postgres: EmbeddedPostgres) -> None:
    start(postgres)
    with pytest.raises(AlreadyRunning, match=f"started by process {os.getpid()}"):
        same_folders(postgres).start()
    assert postgres.is_ready()


def test_it_is_refused_when_postgres_was_started_on_the_folder_by_other_means(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_LEFTOVER_SECONDS", 0.1)
    start(postgres)
    assert postgres.process
    postgres._lock.release()
    with pytest.raises(AlreadyRunning, match=f"process {postgres.process.pid}, uses"):
        same_folders(postgres).start()


def test_it_starts_again_when_a_session_outlived_it_and_is_busy(
    postgres: EmbeddedPostgres,
) -> None:
    start(postgres)
    with running([sys.executable, PROGRAMS / "busy_session.py", postgres.url]) as session:
        assert session.stdout
        pid = int(session.stdout.readline())
        wait_until(lambda: processor_ticks(pid) > 5)  # well inside its loop
        assert postgres.process
        postgres.process.kill()
        wait_until(lambda: not postgres.running)
        assert is_alive(pid)
        start(postgres)
        assert not is_alive(pid)


def test_it_is_gone_soon_and_starts_again_when_its_starter_was_killed(
    postgres: EmbeddedPostgres,
) -> None:
    folders = (postgres.data_folder, postgres.socket_folder)
    with running([sys.executable, PROGRAMS / "start_postgres.py", *folders]) as starter:
        assert starter.stdout and starter.stdout.readline() == b"ready\n"
        pids = processes_in(postgres.data_folder, "postgres")
        starter.kill()
    start(postgres)
    assert not [pid for pid in pids if is_alive(pid)]


async def test_it_starts_when_an_earlier_start_was_killed_while_making_the_cluster(
    new_postgres: EmbeddedPostgres,
) -> None:
    postgres = new_postgres
    half_made = postgres.data_folder.with_name("postgres.new")
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18\n")
    start(postgres)
    assert await ask(postgres, "SELECT 1") == 1
    assert not half_made.exists()


def test_a_folder_of_another_major_version_is_refused_with_the_way_to_move_it(
    new_postgres: EmbeddedPostgres,
) -> None:
    postgres = new_postgres
    postgres.data_folder.mkdir()
    (postgres.data_folder / "PG_VERSION").write_text("15\n")
    with pytest.raises(EngineFailed, match=r"PostgreSQL 15 .* pg_dump") as refusal:
        postgres.start()
    assert "\n" not in str(refusal.value)
    assert [path.name for path in postgres.data_folder.iterdir()] == ["PG_VERSION"]


def test_a_folder_of_something_else_is_refused_and_kept(new_postgres: EmbeddedPostgres) -> None:
    postgres = new_postgres
    postgres.data_folder.mkdir()
    (postgres.data_folder / "letters").write_text("dear")
    with pytest.raises(EngineFailed, match="not a PostgreSQL data folder"):
        postgres.start()
    assert (postgres.data_folder / "letters").read_text() == "dear"


@pytest.mark.skipif(not DEBIAN_BIN.exists(), reason="Debian's postgresql-15 is not installed")
async def test_other_programs_are_used_when_they_are_named(new_postgres: EmbeddedPostgres) -> None:
    postgres = new_postgres
    older = same_folders(postgres, DEBIAN_BIN)
    start(older)
    try:
        assert await ask(older, "SHOW server_version_num") > "150000"
        assert await ask(older, "SELECT lower('ÄÖÜ')") == "äöü"
    finally:
        older.stop()
    with pytest.raises(EngineFailed, match="written by PostgreSQL 15"):
        postgres.start()


def test_a_missing_program_is_named_by_its_setting(folder: Path) -> None:
    engine = EmbeddedPostgres(
        data_folder=folder / "postgres",
        socket_folder=folder / "sockets",
        bin_folder=folder / "nowhere",
    )
    with pytest.raises(EngineFailed, match=r"POSTGRES_BIN: there is no program .*/nowhere"):
        engine.start()


def test_a_socket_path_that_is_too_long_is_refused(folder: Path) -> None:
    deep = folder / ("d" * 100)
    with pytest.raises(EngineFailed, match="107 bytes"):
        EmbeddedPostgres(data_folder=folder / "postgres", socket_folder=deep).start()


def test_its_end_is_told_in_one_line_when_it_cannot_run(postgres: EmbeddedPostgres) -> None:
    start(postgres)
    postgres.stop()
    (postgres.data_folder / "global" / "pg_control").unlink()
    postgres.start()
    with pytest.raises(
        EngineFailed, match=r"ended with code \d.*could not.*postgres.log"
    ) as failure:
        postgres.wait_ready()
    assert "\n" not in str(failure.value)
