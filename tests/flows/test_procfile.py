"""The Procfile beside services of its own, and its form for disks that do not last."""

import base64
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from moto.server import ThreadedMotoServer
from pillarbox import (
    COMMAND,
    Pillarbox,
    compose,
    free_port,
    send,
    subjects_of,
    wait_until,
)

from app.embedded.postgres import EmbeddedPostgres
from app.embedded.valkey import EmbeddedValkey

pytestmark = pytest.mark.flow

ROOT = Path(__file__).parents[2]
DEBIAN_POSTGRES = Path("/usr/lib/postgresql/15/bin")
DEBIAN_REDIS = Path("/usr/bin/redis-server")
TOKEN = "a-token-of-the-provider"
MAILS = 200


class Formation(Pillarbox):
    """`honcho start` with the repository's Procfile. Honcho gives each process its own PORT."""

    def open(self, **more: str) -> None:
        self.postgres = EmbeddedPostgres(
            data_folder=self.folder / "pg",
            socket_folder=self.folder / "pgs",
            bin_folder=DEBIAN_POSTGRES if DEBIAN_POSTGRES.exists() else None,
        )
        self.valkey = EmbeddedValkey(
            data_folder=self.folder / "kv",
            socket_folder=self.folder / "kvs",
            binary=DEBIAN_REDIS if DEBIAN_REDIS.exists() else None,
        )
        for engine in (self.postgres, self.valkey):
            engine.start()
            engine.wait_ready()
        port = free_port()
        self.web, self.ingester = f"127.0.0.1:{port}", f"http://127.0.0.1:{port + 100}"
        self.environment = {
            "PATH": f"{COMMAND.parent}:{os.environ['PATH']}",
            "PORT": str(port),
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.valkey.url,
            "SECRET_KEY": "s" * 40,
            "ENCRYPTION_KEY": "e" * 40,
            "PILLARBOX_DATA": str(self.data),
            "SMTP_LISTEN": self.smtp,
            "SPOOL_MIN_FREE_BYTES": "0",
            "INGESTER_INBOUND_TOKEN": TOKEN,
            **more,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "honcho", "start", "--no-colour"],
            cwd=ROOT,
            env=self.environment,
        )
        wait_until(self.is_ready, "web is ready")

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/api/v1/ready").status_code == 200
        except httpx.HTTPError:
            return False

    def close(self) -> None:
        self.stop()
        self.valkey.stop()
        self.postgres.stop()

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [COMMAND, *arguments], env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def set_up(self) -> str:
        """A tenant with a mailbox; the key that reads it."""
        self.run("tenant", "create", "Example", "--plan", "developer")
        self.run("domain", "add", "example.test", "--tenant", "Example")
        self.run("mailbox", "add", "box@example.test", "--tenant", "Example")
        return self.run("key", "create", "--tenant", "Example", "--scope", "messages:read")


@pytest.fixture
def formation() -> Iterator[Formation]:
    with tempfile.TemporaryDirectory(prefix="pbx-") as folder:
        Path(folder).chmod(0o755)
        formation = Formation(Path(folder))
        try:
            yield formation
        finally:
            formation.close()


def hand_over(formation: Formation, url: str, number: int) -> int:
    raw = compose("box@example.test", number)
    body = {
        "event_id": f"event-{number}",
        "recipients": ["box@example.test"],
        "raw_mime_base64": base64.b64encode(raw).decode(),
    }
    headers = {"authorization": f"Bearer {TOKEN}"}
    return httpx.post(f"{url}/events/inbound", json=body, headers=headers).status_code


def send_and_expect_all(formation: Formation, key: str, callback_url: str) -> None:
    wait_until(lambda: formation.accepts("box@example.test"), "the mailbox is known")
    with formation.connect() as client:
        client.ehlo("client.example.org")
        for number in range(MAILS):
            assert send(client, "box@example.test", compose("box@example.test", number))
    for number in range(MAILS, MAILS + 10):
        assert hand_over(formation, callback_url, number) == 202
    expected = {f"mail {number}" for number in range(MAILS + 10)}

    def found() -> list[str]:
        return list(subjects_of(formation, key, "box@example.test"))

    wait_until(lambda: set(found()) == expected, "everything is taken in")
    assert len(found()) == len(expected)


def test_procfile_runs_the_same_beside_separate_postgres_and_redis(formation: Formation) -> None:
    formation.open()
    send_and_expect_all(formation, formation.set_up(), formation.ingester)


def test_procfile_runs_the_same_where_disks_do_not_last(formation: Formation) -> None:
    """Spool and objects in a bucket; callbacks are mounted in `web`."""
    storage = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port())
    storage.start()
    host, port = storage.get_host_and_port()
    try:
        httpx.put(f"http://{host}:{port}/mail").raise_for_status()
        formation.open(
            DYNO="web.1",
            SPOOL_URL="s3:spool",
            S3_BUCKET_NAME="mail",
            S3_ENDPOINT_URL=f"http://{host}:{port}",
            AWS_ACCESS_KEY_ID="x",
            AWS_SECRET_ACCESS_KEY="x",
        )
        send_and_expect_all(formation, formation.set_up(), formation.url)
        assert not (formation.data / "spool").exists()
        assert not (formation.data / "blobs").exists()
    finally:
        formation.close()
        storage.stop()


def test_folder_spool_is_refused_in_one_line_where_disks_do_not_last() -> None:
    environment = {"SECRET_KEY": "s" * 40, "ENCRYPTION_KEY": "e" * 40, "DYNO": "web.1"}
    done = subprocess.run(
        [COMMAND, "worker"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("SPOOL_URL must be s3:PREFIX")
    assert done.stderr.count("\n") == 1
