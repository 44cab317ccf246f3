"""`pillarbox web` as a process of its own, over a test's database."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from app.settings import Settings

ROOT = Path(__file__).parents[1]


@contextmanager
def serving_process(settings: Settings, **more: str) -> Iterator[str]:
    """The address of a server, which ends with the context."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    assert settings.database_url and settings.redis_url
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PILLARBOX_DATA": str(settings.pillarbox_data),
        "DATABASE_URL": settings.database_url.reveal(),
        "REDIS_URL": settings.redis_url.reveal(),
        "SECRET_KEY": settings.secret_key.reveal(),
        "ENCRYPTION_KEY": settings.encryption_key.reveal(),
        "WEB_LISTEN": listen,
        "PUBLIC_URL": f"http://{listen}",
        **more,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "web"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        started = time.monotonic()
        while not _answers(listen):
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < started + 60, "the server does not answer"
            time.sleep(0.05)
        yield f"http://{listen}"
    finally:
        process.terminate()
        process.wait(20)


def _answers(listen: str) -> bool:
    try:
        return httpx.get(f"http://{listen}/api/v1/health").status_code == 200
    except httpx.HTTPError:
        return False
