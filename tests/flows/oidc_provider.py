"""A certified OpenID Provider (npm `oidc-provider`) as a test starts and stops it.

Without Node.js a test is skipped; `.ci/run` installs it, and sets OIDC_PROVIDER=needed.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
from pillarbox import free_port, wait_until

_LOCKED = Path(__file__).with_name("oidc_provider")
_INSTALLED = Path(__file__).parents[2] / ".venv" / "oidc-provider"


@dataclass
class OpenIdProvider:
    """One provider that knows one client."""

    folder: Path
    redirect_uri: str
    signed_out_uri: str
    client_id: str = "pillarbox"
    client_secret: str = "a secret: of + its/own"
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.port}"

    def start(self, key_id: str) -> None:
        """With a fresh key of this name, and nobody logged in."""
        said = self.folder / f"said-{key_id}"
        with said.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *("node", install() / "serve.mjs", str(self.port)),
                    *(self.client_id, self.client_secret),
                    *(self.redirect_uri, self.signed_out_uri, key_id),
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        process = self.process
        wait_until(
            lambda: b"ready" in said.read_bytes() or process.poll() is not None, "it listens", 30
        )
        assert process.poll() is None, said.read_text()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)


@contextlib.contextmanager
def openid_provider(
    folder: Path, redirect_uri: str, signed_out_uri: str
) -> Iterator[OpenIdProvider]:
    one = OpenIdProvider(folder, redirect_uri, signed_out_uri)
    try:
        one.start("first")
        yield one
    finally:
        one.stop()


@cache
def install() -> Path:
    """In the versions that are locked, once for this environment."""
    for name in ("node", "npm"):
        if shutil.which(name) is None:
            _lack(f"{name} is not installed")
    lock = (_LOCKED / "package-lock.json").read_text()
    done = _INSTALLED / "installed"
    if not done.exists() or done.read_text() != lock:
        shutil.rmtree(_INSTALLED, ignore_errors=True)
        shutil.copytree(_LOCKED, _INSTALLED)
        installed = subprocess.run(
            ["npm", "ci"], cwd=_INSTALLED, capture_output=True, text=True, check=False
        )
        if installed.returncode != 0:
            _lack(f"npm cannot install oidc-provider: {installed.stderr[:200]}")
        done.write_text(lock)
    shutil.copy(_LOCKED / "serve.mjs", _INSTALLED)
    return _INSTALLED


def _lack(reason: str) -> NoReturn:
    if os.environ.get("OIDC_PROVIDER") == "needed":
        pytest.fail(reason)
    pytest.skip(reason)
