"""docs/spool.md names the test that holds each of its promises."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_test_that_the_documentation_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/spool.md").read_text()))
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.M)
    }
    assert len(named) > 25
    assert named - there == set()
