"""`pillarbox up` as a whole, with real engines and small children."""

import contextlib
import json
import os
import shutil
import signal
import socket
import stat

import asyncpg
import pytest
from installation import Up, wait_until

from app.embedded.errors import NotRunning
from app.embedded.process import is_alive

pytestmark = pytest.mark.flow


async def add_mail(up: Up, subject: str) -> None:
    connection = await asyncpg.connect(up.run_file().database_url)
    await connection.execute("INSERT INTO mail VALUES ($1)", subject)
    await connection.close()


async def kept_mail(up: Up) -> list[str]:
    connection = await asyncpg.connect(up.run_file().database_url)
    rows = await connection.fetch("SELECT subject FROM mail")
    await connection.close()
    return [row["subject"] for row in rows]


def answers(address: str) -> bool:
    host, port = address.split(":")
    try:
        with socket.create_connection((host, int(port)), 1):
            return True
    except OSError:
        return False


def test_everything_is_made_run_and_described_when_there_was_nothing(up_of_each: Up) -> None:
    up = up_of_each
    shutil.rmtree(up.data)
    up.start().wait_ready()
    run = up.run_file()
    assert (run.pid, run.web, run.smtp) == (up.process.pid, up.web, up.smtp)
    assert run.environment["DATABASE_URL"] == run.database_url
    assert run.environment["PUBLIC_URL"] == f"http://{up.web}"
    assert len(run.environment["SECRET_KEY"]) >= 32
    assert answers(up.web)
    assert answers(up.smtp)
    for name in ("run.json", "secrets.json"):
        assert stat.S_IMODE((up.data / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(up.data.stat().st_mode) == 0o700


def test_all_stop_doors_first_when_told(up_of_each: Up) -> None:
    up = up_of_each
    up.start().wait_ready()
    pids = up.all_pids()
    up.process.terminate()
    assert up.end() == 0
    assert (up.folder / "stopped").read_text().split() == ["smtp", "web", "worker"]
    assert not [pid for pid in pids if is_alive(pid)]
    assert "database system is shut down" in (up.data / "postgres.log").read_text()
    with pytest.raises(NotRunning):
        up.run_file()
    assert not (up.data / "run.json").exists()
    assert not list(up.folder.glob("pillarbox-*"))


async def test_nothing_is_left_and_nothing_lost_when_killed(up_of_each: Up) -> None:
    up = up_of_each
    up.start().wait_ready()
    await add_mail(up, "kept")
    keys = json.loads((up.data / "secrets.json").read_text())
    pids = up.all_pids()
    up.process.kill()
    up.end()
    with pytest.raises(NotRunning):
        up.run_file()
    up.start().wait_ready()
    assert not [pid for pid in pids if is_alive(pid)]
    assert await kept_mail(up) == ["kept"]
    assert json.loads((up.data / "secrets.json").read_text()) == keys


async def test_nothing_is_lost_when_all_processes_are_killed_at_once(up: Up) -> None:
    up.start().wait_ready()
    await add_mail(up, "kept")
    for pid in up.all_pids():
        with contextlib.suppress(ProcessLookupError):  # gone with one of the others
            os.kill(pid, signal.SIGKILL)
    up.end()
    up.start().wait_ready()
    assert await kept_mail(up) == ["kept"]


def test_a_child_starts_again_without_its_old_children_when_killed(up: Up) -> None:
    up.start().wait_ready()
    others = {*up.pids_of("smtp"), *up.pids_of("worker"), *up.valkey_pids()}
    leader, own_child = up.pids_of("web")
    os.kill(leader, signal.SIGKILL)
    wait_until(lambda: up.said.count("web is ready.") == 2)
    assert answers(up.web)
    assert not is_alive(own_child)
    assert all(is_alive(pid) for pid in others)
    assert "web was killed by SIGKILL; starting it again." in up.said


async def test_postgres_starts_again_under_running_children_when_killed(up_of_each: Up) -> None:
    up = up_of_each
    up.start().wait_ready()
    await add_mail(up, "kept")
    children = [pid for name in ("web", "worker", "smtp") for pid in up.pids_of(name)]
    postmaster = int((up.data / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    wait_until(lambda: up.said.count("PostgreSQL is ready.") == 2)
    assert await kept_mail(up) == ["kept"]
    assert all(is_alive(pid) for pid in children)


def test_valkey_starts_again_when_killed(up: Up) -> None:
    up.start().wait_ready()
    [valkey] = up.valkey_pids()
    os.kill(valkey, signal.SIGKILL)
    wait_until(lambda: up.said.count("Valkey is ready.") == 2)
    assert up.valkey_pids() != {valkey}


def test_the_guard_still_ends_the_rest_when_it_was_killed_itself(up: Up) -> None:
    up.start().wait_ready()
    [guard] = up.guard_pids()
    os.kill(guard, signal.SIGKILL)
    wait_until(lambda: up.guard_pids() and up.guard_pids() != {guard})
    pids = up.all_pids()
    up.process.kill()
    wait_until(lambda: not [pid for pid in pids if is_alive(pid)])


def test_a_second_up_is_refused_with_the_pid_of_the_first_when_one_runs(up: Up) -> None:
    up.start().wait_ready()
    second = Up(up.folder, up.uid)
    first_said = up.said
    second.start()
    assert second.end() == 3
    assert second.said == f"Pillarbox already runs on {up.data} (process {up.process.pid}).\n"
    assert up.process.poll() is None
    assert "The inbox is at" in first_said


@pytest.mark.parametrize("option", ["--web", "--smtp"])
def test_a_busy_port_is_named_before_anything_starts(up: Up, option: str) -> None:
    address = up.web if option == "--web" else up.smtp
    host, port = address.split(":")
    with socket.create_server((host, int(port))):
        up.start()
        assert up.end() == 1
    assert f"{address} is already in use: choose another with {option} HOST:PORT." in up.said
    assert "PostgreSQL is ready" not in up.said


def test_up_ends_and_says_why_when_a_child_cannot_start(up: Up) -> None:
    up.start("broken")
    assert up.end() == 1
    assert "smtp ended with code 7, before it was ready." in up.said
    assert (up.folder / "stopped").read_text().split() == ["web", "worker"]


def test_a_child_is_killed_when_it_does_not_stop_in_its_time(up: Up) -> None:
    up.start("stubborn").wait_ready()
    pids = up.all_pids()
    up.process.send_signal(signal.SIGINT)
    assert up.end() == 0
    assert not [pid for pid in pids if is_alive(pid)]


def test_engines_are_not_started_when_their_urls_are_set(up: Up) -> None:
    up.environment = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    up.start()
    assert up.end() == 1
    assert "PostgreSQL is ready" not in up.said


def test_a_bad_setting_is_named_before_anything_starts(up: Up) -> None:
    up.environment = {"WEB_CONCURRENCY": "many"}
    up.start()
    assert up.end() == 1
    assert "WEB_CONCURRENCY" in up.said
    assert "PostgreSQL is ready" not in up.said
