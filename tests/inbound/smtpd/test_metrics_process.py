"""`METRICS_LISTEN` of the sidecar as a process of its own."""

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.settings import Listen


@contextmanager
def smtp_process(folder: Path, metrics_listen: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "smtp"],
        env={
            **{key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ},
            "PILLARBOX_DATA": str(folder),
            "PILLARBOX_ENV": "production",
            "SECRET_KEY": "s" * 32,
            "ENCRYPTION_KEY": "e" * 32,
            "SMTP_LISTEN": "127.0.0.1:0",
            "METRICS_LISTEN": metrics_listen,
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def addresses_of(process: "subprocess.Popen[str]") -> dict[str, str]:
    """Where it listens, for metrics and for mail."""
    found: dict[str, str] = {}
    assert process.stderr is not None
    for line in process.stderr:
        if match := re.search(r"127\.0\.0\.1:\d+", line):
            found["metrics" if "metrics" in line else "smtp"] = match[0]
        if len(found) == 2:
            return found
    raise AssertionError(f"it listens only on {found}")


@pytest.mark.flow
def test_metrics_are_served_beside_the_mail(tmp_path, connect):
    with smtp_process(tmp_path, "127.0.0.1:0") as process:
        addresses = addresses_of(process)
        client = connect(Listen.parse(addresses["smtp"]))
        assert client.reply().startswith("220")
        assert client.say(b"FROB").startswith("500")
        with urllib.request.urlopen(f"http://{addresses['metrics']}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "\npillarbox_smtp_connections 1.0\n" in text
    assert 'pillarbox_smtp_replies_total{cause="unrecognised",code="500"} 1.0' in text
    assert "\npillarbox_spool_disk_free_bytes " in text
    assert "\nprocess_resident_memory_bytes " in text


@pytest.mark.flow
@pytest.mark.parametrize("listen", [":9090", "0.0.0.0:9090"])
def test_start_is_refused_where_others_could_read_metrics(tmp_path, listen):
    with smtp_process(tmp_path, listen) as process:
        _, said = process.communicate(timeout=20)
    assert process.returncode not in (0, None)
    assert said.count("\n") == 1
    assert "METRICS_LISTEN must be a loopback address and a port" in said
    assert not (tmp_path / "spool").exists()
