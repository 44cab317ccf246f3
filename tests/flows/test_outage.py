"""With the database and Redis away mail is still accepted, and taken in when they return."""

import contextlib
import os
import signal
import smtplib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pillarbox import COMMAND, Pillarbox, compose, free_port, send, subjects_of, wait_until

from app.embedded.postgres import EmbeddedPostgres
from app.embedded.valkey import EmbeddedValkey

pytestmark = pytest.mark.flow


class SeparateProcesses(Pillarbox):
    """The processes of the Procfile beside engines that a test starts and stops itself."""

    def open(self) -> None:
        self.postgres = EmbeddedPostgres(
            data_folder=self.folder / "pg", socket_folder=self.folder / "pgs"
        )
        self.valkey = EmbeddedValkey(
            data_folder=self.folder / "kv", socket_folder=self.folder / "kvs"
        )
        self.start_engines()
        self.environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.valkey.url,
            "SECRET_KEY": "s" * 40,
            "ENCRYPTION_KEY": "e" * 40,
            "PILLARBOX_DATA": str(self.data),
            "WEB_LISTEN": self.web,
            "SMTP_LISTEN": self.smtp,
            "SPOOL_MIN_FREE_BYTES": "0",
        }
        self.started = [
            subprocess.Popen([COMMAND, name], env=self.environment)
            for name in ("web", "worker", "smtp")
        ]

    def start_engines(self) -> None:
        for engine in (self.postgres, self.valkey):
            engine.start()
            engine.wait_ready()

    def stop_engines(self) -> None:
        self.valkey.stop()
        self.postgres.stop()

    def close(self) -> None:
        for process in self.started:
            process.send_signal(signal.SIGTERM)
        for process in self.started:
            process.wait(30)
        self.stop_engines()

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [COMMAND, *arguments], env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


@pytest.fixture
def processes() -> Iterator[SeparateProcesses]:
    with tempfile.TemporaryDirectory(prefix="pbx-") as folder:
        Path(folder).chmod(0o755)
        processes = SeparateProcesses(
            Path(folder), f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        )
        processes.open()
        try:
            yield processes
        finally:
            processes.close()


def reply_to(pillarbox: Pillarbox, address: str) -> int:
    with pillarbox.connect() as client:
        client.ehlo("client.example.org")
        client.mail("sender@example.org")
        return client.rcpt(address)[0]


def is_up(pillarbox: Pillarbox) -> bool:
    with contextlib.suppress(OSError, smtplib.SMTPException), pillarbox.connect():
        return True
    return False


def test_known_recipients_are_accepted_and_unknown_deferred_when_the_engines_are_away(
    processes: SeparateProcesses,
) -> None:
    wait_until(lambda: is_up(processes), "SMTP listens")
    wait_until(lambda: reply_to(processes, "x@elsewhere.test") == 550, "there is a snapshot")
    processes.run("tenant", "create", "Example", "--plan", "developer")
    processes.run("domain", "add", "example.test", "--tenant", "Example")
    processes.run("mailbox", "add", "box@example.test", "--tenant", "Example")
    key = processes.run("key", "create", "--tenant", "Example", "--scope", "messages:read")
    wait_until(lambda: reply_to(processes, "box@example.test") == 250, "the mailbox is known")
    assert reply_to(processes, "nobody@example.test") == 550

    processes.stop_engines()
    # The snapshot grows old: a miss may now be an address that it lacks.
    wait_until(lambda: reply_to(processes, "nobody@example.test") == 451, "a miss is deferred")
    with processes.connect() as client:
        client.ehlo("client.example.org")
        for number in range(50):
            assert send(client, "box@example.test", compose("box@example.test", number))
    assert reply_to(processes, "nobody@example.test") == 451

    processes.start_engines()
    expected = {f"mail {number}" for number in range(50)}

    def arrived() -> bool:
        with contextlib.suppress(Exception):
            return expected == set(subjects_of(processes, key, "box@example.test"))
        return False

    wait_until(arrived, "everything is taken in")
    assert len(subjects_of(processes, key, "box@example.test")) == 50
    wait_until(lambda: reply_to(processes, "nobody@example.test") == 550, "the snapshot is fresh")
