"""Everything on one machine: engines, migrations, children; kept running, stopped in order.

Nothing outlives the supervisor, however it ends: engines and children are bound to it by the
kernel, the children's own processes by the guard. Only one runs on a data folder.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from app.core.errors import PillarboxError
from app.core.ids import Ids
from app.core.secrets import Secret
from app.embedded.children import ChildProcess
from app.embedded.engine import Engine
from app.embedded.errors import AlreadyRunning
from app.embedded.folders import hold_data_folder, socket_folder
from app.embedded.guard import Guard
from app.embedded.keeper import Keeper
from app.embedded.keys import keep_keys
from app.embedded.lock import FileLock
from app.embedded.ports import check_ports
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.run_file import RunFile, remove_run_file, write_run_file
from app.embedded.services import ChildService, EngineService
from app.embedded.valkey import EmbeddedValkey
from app.settings import Listen, Settings, read_settings

EXIT_FAILED = 1
EXIT_ALREADY_RUNNING = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What `pillarbox up` was asked for, and what it is given to do it with.

    `children` are started in their order and stopped in the reverse one. `migrate` gets the
    database's URL before any child runs. `welcome` is asked, once all are ready, for the lines
    that tell a person where to go.
    """

    data: Path
    web: Listen
    smtp: Listen
    environment: Mapping[str, str]
    children: Sequence[ChildProcess]
    migrate: Callable[[str], Awaitable[object]]
    welcome: Callable[[RunFile], Awaitable[Sequence[str]]]
    ids: Ids = field(default_factory=Ids)


def run_up(options: UpOptions) -> int:
    """Run until SIGINT, SIGTERM or SIGHUP; the exit code. To be called in the main thread."""
    try:
        with hold_data_folder(options.data) as lock:
            asyncio.run(_run(options, lock))
    except AlreadyRunning as error:
        print(error, file=sys.stderr)
        return EXIT_ALREADY_RUNNING
    except (PillarboxError, OSError) as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    return 0


async def _run(options: UpOptions, lock: FileLock) -> None:
    told_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    with contextlib.ExitStack() as folders:
        folders.callback(remove_run_file, options.data)
        sockets = folders.enter_context(socket_folder(options.data))
        async with Keeper(Guard(lock), _say) as keeper:
            up = asyncio.create_task(_bring_up(options, keeper, sockets))
            stopping = asyncio.create_task(told_to_stop.wait())
            await asyncio.wait({up, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not up.done():
                _say("Stopping.")
            stopping.cancel()
            up.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await up
    _say("Stopped.")


async def _bring_up(options: UpOptions, keeper: Keeper, sockets: Path) -> None:
    """The whole start, in its order; then watch for ever."""
    remove_run_file(options.data)  # of a run that was killed
    _say(f"Starting on {options.data}.")
    environment = _resolve(options)
    check_ports({"--web": options.web, "--smtp": options.smtp})
    environment |= await _start_engines(options.data, sockets, read_settings(environment), keeper)
    await options.migrate(environment["DATABASE_URL"])
    _say("The database is up to date.")
    run = _describe(options, environment)
    write_run_file(options.data, run)
    await _start_children(options.children, environment, keeper)
    await _greet(options, run)
    await keeper.watch()


def _resolve(options: UpOptions) -> dict[str, str]:
    """What the children are told."""
    environment = {
        "PUBLIC_URL": f"http://{_reachable(options.web)}",
        "SEARCH_ENGINE": "whoosh",
        **{name: value for name, value in options.environment.items() if value.strip()},
        **keep_keys(options.data, options.environment, options.ids),
        "PILLARBOX_DATA": str(options.data.absolute()),
        "WEB_LISTEN": str(options.web),
        "SMTP_LISTEN": str(options.smtp),
    }
    environment.pop("PORT", None)  # it would move the web away from where --web says
    return environment


def _reachable(listen: Listen) -> Listen:
    """Where this machine reaches what listens on all addresses."""
    return Listen({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host), listen.port)  # noqa: S104


async def _start_engines(
    data: Path, sockets: Path, settings: Settings, keeper: Keeper
) -> Mapping[str, str]:
    """Start an engine for each URL that is not set. Both URLs."""
    postgres = EmbeddedPostgres(
        data_folder=data / "postgres",
        socket_folder=sockets / "postgres",
        bin_folder=settings.postgres_bin,
    )
    valkey = EmbeddedValkey(
        data_folder=data / "valkey",
        socket_folder=sockets / "valkey",
        binary=settings.valkey_bin,
    )
    return {
        "DATABASE_URL": await _url(settings.database_url, postgres, keeper),
        "REDIS_URL": await _url(settings.redis_url, valkey, keeper),
    }


async def _url(given: Secret | None, engine: Engine, keeper: Keeper) -> str:
    if given is not None:
        return given.reveal()
    service = EngineService(engine)
    keeper.start(service)
    await keeper.keep_once_ready(service)
    return engine.url


async def _start_children(
    children: Sequence[ChildProcess], environment: Mapping[str, str], keeper: Keeper
) -> None:
    services = [ChildService(child, environment, keeper.guard) for child in children]
    for service in services:
        keeper.start(service)
    for service in services:
        await keeper.keep_once_ready(service)


def _describe(options: UpOptions, environment: Mapping[str, str]) -> RunFile:
    settings = {field.name.upper() for field in fields(Settings)}
    return RunFile(
        pid=os.getpid(),
        database_url=environment["DATABASE_URL"],
        redis_url=environment["REDIS_URL"],
        web=str(options.web),
        smtp=str(options.smtp),
        environment={name: value for name, value in environment.items() if name in settings},
    )


async def _greet(options: UpOptions, run: RunFile) -> None:
    """A greeting that fails does not end what runs."""
    try:
        lines = await options.welcome(run)
    except PillarboxError as error:
        lines = [str(error)]
    for line in lines:
        _say(line)


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads it any more
        print(line, flush=True)
