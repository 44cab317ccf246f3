"""The sample project of the Python client, whose tests wait for the mail that it sends."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from pillarbox import installation

CLIENT = Path(__file__).parents[2] / "clients" / "python"


@pytest.mark.flow
def test_sample_project_passes_its_own_tests_against_a_running_pillarbox() -> None:
    with installation() as pillarbox:
        pillarbox.start()
        pillarbox.run("tenant", "create", "Shop", "--plan", "developer")
        pillarbox.run("domain", "add", "shop.test", "--tenant", "Shop")
        scopes = [
            part
            for scope in ("mailboxes:read", "mailboxes:write", "messages:read", "messages:write")
            for part in ("--scope", scope)
        ]
        key = pillarbox.run("key", "create", "--tenant", "Shop", *scopes)
        host, port = pillarbox.smtp.rsplit(":", 1)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
            cwd=CLIENT / "examples" / "sign_up",
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(CLIENT / "src"),
                "PYTHONDONTWRITEBYTECODE": "1",
                "PILLARBOX_URL": pillarbox.url,
                "PILLARBOX_API_KEY": key,
                "PILLARBOX_DOMAIN": "shop.test",
                "SMTP_HOST": host,
                "SMTP_PORT": port,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "4 passed" in done.stdout
        listed = httpx.get(
            f"{pillarbox.url}/api/v1/mailboxes", headers={"authorization": f"Bearer {key}"}
        )
        assert listed.json()["items"] == []
