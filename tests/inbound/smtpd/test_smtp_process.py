"""The sidecar as a process of its own, with no database and no Redis anywhere."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.directory.snapshot import DirectorySnapshot, DomainEntry, save_snapshot
from app.settings import Listen

START = "from workers.smtp import run_smtp; from app.settings import read_settings; import os; "
NEVER_IMPORTED = {
    *("asyncpg", "piccolo", "litestar", "boto3", "authlib", "redis", "arq"),
    *("app.eventlog", "app.web", "app.storage.db", "app.inbound.pipeline"),
}


@pytest.fixture
def start_process(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts a sidecar; keyword arguments are settings."""
    with ExitStack() as stack:

        def start(**changes: str) -> "subprocess.Popen[str]":
            environment = {
                "PATH": os.environ["PATH"],
                "PILLARBOX_ENV": "production",
                "PILLARBOX_DATA": str(tmp_path),
                "SECRET_KEY": "s" * 32,
                "ENCRYPTION_KEY": "e" * 32,
                "SMTP_LISTEN": "127.0.0.1:0",
                "SMTP_MAX_MESSAGE_BYTES": "1000000",
                **changes,
            }
            process = subprocess.Popen(
                [sys.executable, "-c", START + "run_smtp(read_settings(os.environ))"],
                env=environment,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.communicate)
            stack.callback(process.kill)
            return process

        yield start


@pytest.fixture
def process(start_process: Callable[..., "subprocess.Popen[str]"]) -> "subprocess.Popen[str]":
    return start_process()


def address_of(process: "subprocess.Popen[str]") -> Listen:
    assert process.stderr is not None
    for line in process.stderr:
        if match := re.search(r"127\.0\.0\.1:\d+", line):
            return Listen.parse(match[0])
    raise AssertionError("it never listened")


@pytest.mark.flow
def test_it_accepts_durably_and_stops_when_told(process, tmp_path, connect, read_spool):
    save_snapshot(
        tmp_path / "spool" / "directory.snapshot",
        DirectorySnapshot(1, {"example.test": DomainEntry(catch_all=True)}, {}),
    )
    client = connect(address_of(process))
    client.open_data()
    process.send_signal(signal.SIGTERM)
    client.send(b"hello\r\n.\r\n")

    assert client.reply().startswith("250 2.6.0 Queued as ")
    assert client.reply().startswith("421 4.3.2")
    assert process.wait(20) == 0
    (item,) = read_spool(tmp_path / "spool")
    assert item.raw.endswith(b"hello\r\n")
    assert list((tmp_path / "spool").glob("*/*.open")) == []


@pytest.mark.flow
def test_it_serves_tls_and_lmtp_and_believes_its_proxies(
    tmp_path, start_process, certificate_files, connect, read_spool
):
    chain, key = certificate_files()
    save_snapshot(
        tmp_path / "spool" / "directory.snapshot",
        DirectorySnapshot(1, {"example.test": DomainEntry(catch_all=True)}, {}),
    )
    process = start_process(
        SMTP_TLS_CERT=str(chain),
        SMTP_TLS_KEY=str(key),
        SMTP_LMTP_LISTEN="127.0.0.1:0",
        SMTP_PROXY_FROM="127.0.0.1",
    )
    for source, hello in (("192.0.2.1", b"EHLO"), ("192.0.2.2", b"LHLO")):
        client = connect(address_of(process), hello)
        client.send(f"PROXY TCP4 {source} 198.51.100.1 1 25\r\n".encode())
        assert client.reply().startswith("220")
        client.start_tls()
        client.go_to_data()
        client.send(b"hello\r\n.\r\n")
        assert client.reply().startswith("250 2.6.0 Queued as ")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    items = read_spool(tmp_path / "spool")
    assert [(item.metadata.source, item.metadata.client_address) for item in items] == [
        *(("smtp", "192.0.2.1"), ("lmtp", "192.0.2.2"))
    ]


@pytest.mark.flow
def test_it_says_451_while_nobody_has_written_a_snapshot(process, connect):
    client = connect(address_of(process))
    client.reply()
    client.say(b"EHLO client.test")
    client.say(b"MAIL FROM:<s@sender.test>")
    assert client.say(b"RCPT TO:<ann@example.test>").startswith("451 4.3.0")


def test_it_imports_neither_web_nor_database_nor_object_store():
    report = "import sys, workers.smtp; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", report], text=True).split()
    assert "app.inbound.smtpd.protocol" in modules
    assert NEVER_IMPORTED.isdisjoint(modules)
