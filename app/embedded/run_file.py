"""DATA/run.json: where the other commands find what `pillarbox up` started."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from app.core.errors import PillarboxError
from app.embedded.errors import NotRunning
from app.embedded.files import write_private
from app.embedded.lock import FileLock
from app.embedded.process import is_alive

LOCK_NAME = "up.lock"
_FILE = "run.json"


@dataclass(frozen=True, slots=True)
class RunFile:
    """`web` and `smtp` are HOST:PORT. `environment` holds every setting that the children were
    given, the keys and both URLs among them: another command that reads it works on the same."""

    pid: int
    database_url: str
    redis_url: str
    web: str
    smtp: str
    environment: Mapping[str, str]


def write_run_file(data: Path, run: RunFile) -> None:
    write_private(data / _FILE, msgspec.json.encode(run))


def remove_run_file(data: Path) -> None:
    (data / _FILE).unlink(missing_ok=True)


def read_run_file(data: Path) -> RunFile:
    """Raises `NotRunning` unless a `pillarbox up` runs on `data` and has its engines up."""
    try:
        run = msgspec.json.decode((data / _FILE).read_bytes(), type=RunFile)
    except FileNotFoundError:
        raise _not_running(data) from None
    except (OSError, msgspec.MsgspecError) as error:
        raise PillarboxError(f"{data / _FILE} cannot be read: {error}.") from error
    if not (is_alive(run.pid) and FileLock(data / LOCK_NAME).is_taken()):
        raise _not_running(data)
    return run


def _not_running(data: Path) -> NotRunning:
    return NotRunning(
        f"Nothing runs on {data}: start it with `pillarbox up --data {data}`, or name the folder "
        "of the one that runs with --data."
    )
