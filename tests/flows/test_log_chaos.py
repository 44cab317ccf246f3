"""Whoever dies among the writers and readers of the log, each event has its effect once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.flow
def test_every_event_has_its_effect_once_when_processes_are_killed(
    redis_url: str, database_url: str
) -> None:
    arguments = ["--seconds", "8", "--database", database_url, "--redis", redis_url]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.log_chaos", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    figures = json.loads(ended.stdout.splitlines()[-1])["figures"]
    assert figures["kills"] > 10
    assert figures["events"] > 100
