"""`pillarbox up` as a test or a benchmark runs it: whole processes, reached from outside."""

import contextlib
import os
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

import httpx
from commands import run_command

COMMAND = Path(sys.executable).with_name("pillarbox")
READY = "Ctrl-C stops everything."


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def free_pair_of_ports() -> int:
    """The first of two ports, of which the worker takes the second."""
    while (port := free_port()) >= 65535:
        pass
    return port


def wait_until(condition: Callable[[], object], what: str, timeout_seconds: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in {timeout_seconds:.0f} s: {what}"
        time.sleep(0.02)


@dataclass
class Inbox:
    """A temporary inbox: its page and its address."""

    url: str
    address: str


@dataclass
class Pillarbox:
    """One installation, started as often as a test likes."""

    folder: Path
    web: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    smtp: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        return f"http://{self.web}"

    @property
    def said(self) -> str:
        return (self.folder / "said").read_text()

    def start(self) -> "Pillarbox":
        with (self.folder / "said").open("wb") as said:
            self.process = subprocess.Popen(
                [COMMAND, "up", "--data", self.data, "--web", self.web, "--smtp", self.smtp],
                env={**os.environ, "TMPDIR": str(self.folder), **self.environment},
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        process = self.process
        wait_until(lambda: READY in self.said or process.poll() is not None, "ready", 90)
        assert process.poll() is None, self.said
        return self

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def kill(self) -> None:
        """As the kernel would end it, with everything that it started."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def run(self, *arguments: str) -> str:
        """What a command printed; it must succeed."""
        ended = run_command([*arguments, "--data", str(self.data)])
        assert ended.code == 0, ended.errors
        return ended.output.strip()

    def create_inbox(self) -> Inbox:
        made = httpx.post(f"{self.url}/t", follow_redirects=False)
        assert made.status_code == 303, made.text
        url = urljoin(self.url, made.headers["location"])
        page = httpx.get(url).text
        address = re.search(r'data-copy="([^"@ ]+@[^" ]+)"', page)
        assert address, page
        inbox = Inbox(url, address[1])
        wait_until(lambda: self.accepts(inbox.address), "the new address is accepted", 10)
        return inbox

    def is_ready(self) -> bool:
        """Whether the web process answers, and reaches all that it needs."""
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/api/v1/ready", timeout=30).status_code == 200
        return False

    def accepts(self, address: str) -> bool:
        with contextlib.suppress(OSError, smtplib.SMTPException), self.connect() as client:
            client.ehlo("client.example.org")
            client.mail("sender@example.org")
            return client.rcpt(address)[0] == 250
        return False

    def connect(self) -> smtplib.SMTP:
        host, port = self.smtp.rsplit(":", 1)
        return smtplib.SMTP(host, int(port), timeout=30)

    def children(self) -> dict[str, list[int]]:
        """The process ids of the installation, by what they run."""
        found: dict[str, list[int]] = {}
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                environment = (path / "environ").read_bytes().decode(errors="replace")
                if str(self.data) not in command + environment:
                    continue
                if verb := re.search(r"app\.cli (worker|web|smtp|indexer)\b", command):
                    found.setdefault(verb[1], []).append(int(path.name))
                if f"{self.data}/postgres" in command or (
                    "postgres" in command and "-D" in command
                ):
                    found.setdefault("postgres", []).append(int(path.name))
                if "valkey-server" in command:
                    found.setdefault("valkey", []).append(int(path.name))
        return found

    def kill_child(self, name: str) -> None:
        for pid in self.children().get(name, []):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def installation(**environment: str) -> Iterator[Pillarbox]:
    """An installation of its own, not started yet; everything is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="pbx-", dir="/tmp"))
    folder.chmod(0o755)
    pillarbox = Pillarbox(folder, environment=environment)
    try:
        yield pillarbox
    finally:
        pillarbox.stop()
        shutil.rmtree(folder, ignore_errors=True)


def compose(address: str, number: int | str, size_bytes: int = 1000) -> bytes:
    """A mail that can be told from every other by its number."""
    line = b"The quick brown fox jumps over the lazy dog, and mail keeps arriving.\r\n"
    head = (
        f"From: Sender <sender@example.org>\r\nTo: {address}\r\nSubject: mail {number}\r\n"
        f"Date: Sun, 22 Nov 2026 06:00:00 +0000\r\nMessage-ID: <{number}@example.org>\r\n\r\n"
    ).encode()
    return head + line * max(1, (size_bytes - len(head)) // len(line))


def send(client: smtplib.SMTP, address: str, data: bytes) -> bool:
    """Whether the server answered 250, and so promised to keep it."""
    client.mail("sender@example.org")
    if client.rcpt(address)[0] != 250:
        client.rset()
        return False
    return client.data(data)[0] == 250


def subjects_of(pillarbox: Pillarbox, key: str, address: str) -> Sequence[str]:
    """The subjects of every message in a mailbox, through the API."""
    found: list[str] = []
    cursor: str | None = None
    with httpx.Client(
        base_url=f"{pillarbox.url}/api/v1", headers={"authorization": f"Bearer {key}"}, timeout=30
    ) as api:
        while True:
            query = {"mailbox": address, "limit": "200", **({"cursor": cursor} if cursor else {})}
            answer = api.get("/messages", params=query)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            found += [item["subject"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return found
