"""docs/events.md names exactly the events that the code produces."""

import re
from pathlib import Path

from app.eventlog.types import EventType

ROOT = Path(__file__).parents[2]


def documented_types() -> set[str]:
    rows = (ROOT / "docs/events.md").read_text().splitlines()
    return {match[1] for row in rows if (match := re.match(r"\| `([a-z_]+\.[a-z_]+)` \|", row))}


def produced_types() -> set[str]:
    """Types named anywhere but where they are declared or only read."""
    readers = {
        *("types.py", "snapshot_writer.py", "live.py", "lists.py", "event_wording.py"),
        *("steps.py", "traces.py"),
    }
    source = "".join(
        file.read_text() for file in (ROOT / "app").rglob("*.py") if file.name not in readers
    )
    return {kind.value for kind in EventType if f"EventType.{kind.name}" in source}


def test_every_event_is_documented_when_the_code_produces_it() -> None:
    assert produced_types() - documented_types() == set()


def test_no_event_is_documented_when_nothing_produces_it() -> None:
    assert documented_types() - produced_types() == set()


def test_every_declared_type_is_produced() -> None:
    assert {kind.value for kind in EventType} == produced_types()
