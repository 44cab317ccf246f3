"""The sidecar and Postfix, each asked to keep mail durably, in alternation.

Six loads of `smtp-source` (Debian's postfix package), which shares the cores with the server it
measures: small and large messages, few and many sessions, a connection for each message or kept.
Postfix stores into its hold queue, so that it does not deliver; the sidecar runs alone, so that
nobody reads its spool. Needs root, as Postfix does.
"""

import argparse
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

sys.path.insert(0, str(Path(__file__).parents[1] / "flows"))
from pillarbox import free_port
from postfix import Postfix
from sidecar import UNLIMITED, Sidecar

from app.directory.snapshot import DirectorySnapshot, DomainEntry, MailboxEntry, save_snapshot
from tests.benchmarks.report import report

_RECIPIENT = "box@bench.test"
_DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
_HEADING = "## Accepting mail (`make bench-smtp`)"


@dataclass(frozen=True)
class Load:
    """What `smtp-source` sends: sessions at a time, bytes of a message, connections kept or not.
    `least_ratio` is what we ask of ourselves, to Postfix."""

    size_bytes: int
    sessions: int
    kept: bool
    least_ratio: float

    @property
    def words(self) -> str:
        size = f"{self.size_bytes // 1024} KB"
        return f"{size}, {self.sessions} sessions{', connections kept' if self.kept else ''}"

    def run(self, port: int, count: int) -> float:
        """Messages a second."""
        command = ["smtp-source", "-s", str(self.sessions), "-l", str(self.size_bytes)]
        command += ["-m", str(count), *(["-d"] if self.kept else [])]
        command += ["-f", "sender@example.org", "-t", _RECIPIENT, f"inet:127.0.0.1:{port}"]
        began = time.perf_counter()
        subprocess.run(command, check=True)
        return count / (time.perf_counter() - began)


_LOADS = {
    "a": Load(4096, 20, kept=False, least_ratio=2),
    "ar": Load(4096, 20, kept=True, least_ratio=3.5),
    "c": Load(102_400, 20, kept=False, least_ratio=1),
    "cr": Load(102_400, 20, kept=True, least_ratio=1.2),
    "d": Load(1024, 100, kept=False, least_ratio=2),
    "dr": Load(1024, 100, kept=True, least_ratio=4.5),
}


class Server(Protocol):
    @property
    def port(self) -> int: ...

    def clear(self) -> None:
        """Forgets what was stored."""

    def stop(self) -> None: ...


class Ours:
    """`pillarbox smtp` with metrics served, and limits that count a client that is not trusted."""

    def __init__(self, folder: Path) -> None:
        environment = {
            **UNLIMITED,
            "METRICS_LISTEN": f"127.0.0.1:{free_port()}",
            "SMTP_TRUSTED": "192.0.2.0/24",
        }
        self._sidecar = Sidecar(folder, environment, failable=False)
        self._start()

    @property
    def port(self) -> int:
        assert self._sidecar.address is not None
        return self._sidecar.address.port

    def clear(self) -> None:
        self.stop()
        shutil.rmtree(self._sidecar.spool)
        self._start()

    def stop(self) -> None:
        self._sidecar.stop()

    def _start(self) -> None:
        mailboxes = {_RECIPIENT: MailboxEntry()}
        snapshot = DirectorySnapshot(1, {"bench.test": DomainEntry()}, mailboxes)
        save_snapshot(self._sidecar.spool / "directory.snapshot", snapshot)
        self._sidecar.start()


class Theirs(Postfix):
    """Postfix with as many processes as there are sessions. It keeps all mail in its hold queue."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, _POSTFIX)

    def clear(self) -> None:
        command = ["postsuper", "-c", self.configuration, "-d", "ALL", "hold"]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


_POSTFIX = """\
myhostname = postfix.bench.test
mydestination = bench.test
local_recipient_maps =
smtpd_recipient_restrictions = check_recipient_access static:HOLD, permit
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
message_size_limit = 78643200
default_process_limit = 200
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loads", default=",".join(_LOADS))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each run, about")
    parser.add_argument("--write", action="store_true", help="the table into docs/benchmarks.md")
    options = parser.parse_args()
    loads = {name: _LOADS[name] for name in options.loads.split(",")}
    require_postfix()
    with running() as servers:
        rates = {
            name: measure(load, servers, options.runs, options.seconds)
            for name, load in loads.items()
        }
    table = "\n".join(tabulate(loads, rates))
    print(table)
    if options.write:
        write_table(table, options.runs, options.seconds)
    medians = {
        f"{server}_{name}": statistics.median(runs)
        for name, by_server in rates.items()
        for server, runs in by_server.items()
    }
    report("smtp", medians, {name: ratio(by_server) for name, by_server in rates.items()})


def require_postfix() -> None:
    """Installs Debian's package where it is missing. Its own service stays off."""
    if os.getuid() != 0:
        raise SystemExit("bench-smtp starts a Postfix of its own, which needs root.")
    if shutil.which("postfix") and shutil.which("smtp-source"):
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", "postfix"]):
        subprocess.run(["apt-get", "-qq", *command], env=environment, check=True)
    with suppress(FileNotFoundError):
        subprocess.run(["postfix", "stop"], capture_output=True, check=False)


@contextmanager
def running() -> Iterator[Mapping[str, Server]]:
    """Both at once; the one that is not asked is idle."""
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        theirs = Theirs(folders[0])
        stack.callback(theirs.stop)
        ours = Ours(folders[1])
        stack.callback(ours.stop)
        yield {"pillarbox": ours, "postfix": theirs}


def measure(
    load: Load, servers: Mapping[str, Server], runs: int, seconds: float
) -> Mapping[str, Sequence[float]]:
    """Messages a second of each run, the servers in turn. A first run finds how many messages
    fill the time."""
    rates: dict[str, list[float]] = {name: [] for name in servers}
    counts = {}
    for name, server in servers.items():
        first = load.run(server.port, 1000)
        counts[name] = int(load.run(server.port, int(first)) * seconds)
        server.clear()
    for _ in range(runs):
        for name, server in servers.items():
            rates[name].append(load.run(server.port, counts[name]))
            server.clear()
    return rates


def ratio(rates: Mapping[str, Sequence[float]]) -> float:
    """The median of what the runs give pair by pair."""
    pairs = zip(rates["pillarbox"], rates["postfix"], strict=True)
    return statistics.median(ours / theirs for ours, theirs in pairs)


def tabulate(
    loads: Mapping[str, Load], rates: Mapping[str, Mapping[str, Sequence[float]]]
) -> Iterator[str]:
    yield "| load | | Pillarbox | Postfix | ratio | asked |"
    yield "|---|---|---|---|---|---|"
    for name, load in loads.items():
        ours, theirs = (statistics.median(rates[name][who]) for who in ("pillarbox", "postfix"))
        yield (
            f"| {name} | {load.words} | {ours:,.0f} | {theirs:,.0f} "
            f"| {ratio(rates[name]):.2f} | {load.least_ratio} |"
        )


def write_table(table: str, runs: int, seconds: float) -> None:
    """Replaces the table in the document, with the day and the machine."""
    version = subprocess.run(
        ["postconf", "-h", "mail_version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 10**9
    when = (
        f"Messages a second, median of {runs} runs of about {seconds:.0f} s each in alternation "
        f"with Postfix {version}.\n{datetime.now(UTC):%d %B %Y}, {os.cpu_count()} cores, "
        f"{memory_gb} GB, Python {platform.python_version()}."
    )
    text = _DOCUMENT.read_text()
    section = re.compile(rf"({re.escape(_HEADING)}\n).*?(?=\n<!-- end -->)", re.DOTALL)
    replaced, count = section.subn(lambda found: f"{found[1]}\n{when}\n\n{table}", text)
    if not count:
        raise SystemExit(f"{_DOCUMENT.name} has no section {_HEADING!r}.")
    _DOCUMENT.write_text(replaced)


if __name__ == "__main__":
    main()
