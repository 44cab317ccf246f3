"""What a line of the log is for machines: one JSON object, whatever it was given."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import structlog

from app.core.log import configure_logging, get_logger

ITEM_ID = UUID("01a20414-92a0-72d5-a7a7-3f23f7057f9f")
Log = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    """Writes one line, and reads it."""
    stream = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(buffer=stream))
    configure_logging(human=False)

    def write(method: str, event: str, **facts: object) -> dict[str, Any]:
        getattr(get_logger("smtp"), method)(event, **facts)
        (line,) = stream.getvalue().splitlines()
        told: dict[str, Any] = json.loads(line)
        return told

    return write


def test_a_line_tells_part_event_level_time_and_facts(log: Log) -> None:
    told = log("info", "smtp.accepted", item_id=ITEM_ID, size_bytes=3)
    assert datetime.fromisoformat(told.pop("timestamp")).utcoffset() is not None
    assert told == {
        "part": "smtp",
        "event": "smtp.accepted",
        "level": "info",
        "item_id": str(ITEM_ID),
        "size_bytes": 3,
    }


def test_an_error_comes_with_its_traceback(log: Log) -> None:
    try:
        raise ValueError("odd")
    except ValueError:
        told = log("exception", "smtp.failed")
    assert told["level"] == "error"
    assert told["exception"].endswith("ValueError: odd")


def test_what_json_has_no_form_for_is_spelt_out(log: Log) -> None:
    assert log("info", "x", what=1j)["what"] == "1j"


def test_raw_bytes_of_a_client_are_shown_escaped(log: Log) -> None:
    told = log("info", "x", name="\udcff", item_id=ITEM_ID, what=1j)
    assert (told["name"], told["item_id"], told["what"]) == ("\udcff", str(ITEM_ID), "1j")
    assert told["timestamp"].endswith("Z")


def test_nothing_fails_when_a_line_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(sys, "stderr", SimpleNamespace(buffer=full))
        configure_logging(human=False)
        get_logger("smtp").info("smtp.accepted")


def test_people_read_an_id_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    fake = SimpleNamespace(buffer=stream, isatty=lambda: False)
    monkeypatch.setattr(sys, "stderr", fake)
    configure_logging(human=True)
    get_logger("smtp").info("smtp.accepted", item_id=ITEM_ID)
    assert f"item_id={ITEM_ID}" in stream.getvalue().decode()
