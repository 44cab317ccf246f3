"""The keys, the run file, the lock and the ports of `pillarbox up`."""

import os
import socket
import stat
from pathlib import Path

import pytest

from app.core.errors import BadSetting, PillarboxError
from app.core.ids import Ids
from app.embedded import folders
from app.embedded.errors import AlreadyRunning, NotRunning, StartFailed
from app.embedded.folders import hold_data_folder, socket_folder
from app.embedded.guard import Guard
from app.embedded.keys import keep_keys
from app.embedded.lock import FileLock
from app.embedded.ports import check_ports
from app.embedded.run_file import RunFile, read_run_file, write_run_file
from app.settings import Listen

RUN = RunFile(
    pid=os.getpid(),
    database_url="postgresql://pillarbox@/postgres?host=/tmp/sockets",
    redis_url="unix:///tmp/sockets/valkey.sock",
    web="127.0.0.1:8000",
    smtp="127.0.0.1:2525",
    environment={"SECRET_KEY": "s"},
)


def test_keys_are_made_once_and_kept_for_ourselves(tmp_path: Path) -> None:
    made = keep_keys(tmp_path, {}, Ids())
    assert set(made) == {"SECRET_KEY", "ENCRYPTION_KEY"}
    assert all(len(key) >= 32 for key in made.values())
    assert keep_keys(tmp_path, {}, Ids()) == made
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_keys_of_the_environment_are_used_and_not_kept(tmp_path: Path) -> None:
    given = {"SECRET_KEY": "a" * 40, "ENCRYPTION_KEY": "b" * 40}
    assert keep_keys(tmp_path, given, Ids()) == given
    assert not (tmp_path / "secrets.json").exists()


def test_new_keys_are_refused_when_a_database_was_written_with_others(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    with pytest.raises(BadSetting, match=r"secrets.json is gone"):
        keep_keys(tmp_path, {}, Ids())


def test_keys_that_cannot_be_read_are_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text('{"SECRET_KEY": ')
    with pytest.raises(BadSetting, match=r"secrets.json cannot be read"):
        keep_keys(tmp_path, {}, Ids())
    assert (tmp_path / "secrets.json").read_text() == '{"SECRET_KEY": '


def test_a_run_is_found_when_its_process_holds_the_folder(tmp_path: Path) -> None:
    with hold_data_folder(tmp_path):
        write_run_file(tmp_path, RUN)
        assert read_run_file(tmp_path) == RUN
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == 0o600


def test_nothing_runs_when_there_is_no_run_file(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match=f"Nothing runs on {tmp_path}: start it"):
        read_run_file(tmp_path)


def test_nothing_runs_when_the_process_has_gone_or_is_another_now(tmp_path: Path) -> None:
    write_run_file(tmp_path, RUN)
    with pytest.raises(NotRunning):
        read_run_file(tmp_path)


def test_a_torn_run_file_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(PillarboxError, match="cannot be read") as failure:
        read_run_file(tmp_path)
    assert "\n" not in str(failure.value)


def test_the_data_folder_is_refused_with_the_pid_while_held(tmp_path: Path) -> None:
    with hold_data_folder(tmp_path), pytest.raises(AlreadyRunning, match=rf"{os.getpid()}\)"):
        hold_data_folder(tmp_path).__enter__()


def test_the_data_folder_is_waited_for_when_only_the_guard_of_a_dead_run_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = FileLock(tmp_path / "up.lock")
    assert lock.acquire()
    guard = Guard(lock)
    guard.start()
    lock.release()
    (tmp_path / "up.lock").write_text("999999999")
    monkeypatch.setattr(folders, "_HANDING_OVER_SECONDS", 0.1)
    with pytest.raises(AlreadyRunning, match="Processes of an earlier run"):
        hold_data_folder(tmp_path).__enter__()
    guard.stop()
    with hold_data_folder(tmp_path) as held:
        assert held.holder_pid() == os.getpid()


def test_the_socket_folder_is_refused_when_it_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with socket_folder(tmp_path / "data") as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StartFailed, match="not ours"):
        socket_folder(tmp_path / "data").__enter__()


def test_a_port_is_named_with_its_option_when_both_want_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = Listen("127.0.0.1", server.getsockname()[1])
    with pytest.raises(StartFailed, match=f"{free} is already in use: .* --smtp HOST:PORT"):
        check_ports({"--web": free, "--smtp": free})


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(StartFailed, match=r"192\.0\.2\.1:8000 is not an address"):
        check_ports({"--web": Listen("192.0.2.1", 8000)})


def test_port_zero_is_refused() -> None:
    with pytest.raises(StartFailed, match="Name a port"):
        check_ports({"--smtp": Listen("127.0.0.1", 0)})
