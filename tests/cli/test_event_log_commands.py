"""Replays and parked events, as an operator meets them."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conditions import eventually
from event_readers import Reader, reading, tell

from app.assembly import assemble
from app.cli import main
from app.core.errors import InvalidInput
from app.eventlog.consumer_states import read_consumer_states
from app.settings import Settings


@contextmanager
def reader_running(settings: Settings, reader: Reader, events: int) -> Iterator[None]:
    """A consumer beside the commands, as in a worker, that went through so many events."""
    ready, stop = threading.Event(), threading.Event()

    async def run() -> None:
        services = assemble(settings)
        async with services.running():
            subjects = await tell(services, events)
            reader.faults[subjects[1]] = InvalidInput("too odd")
            async with reading(services, reader):

                async def is_through() -> bool:
                    states = await read_consumer_states(services.database, services.clock.now())
                    return bool(states) and states[0].position == events

                await eventually(is_through)
                ready.set()
                await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert ready.wait(30)
        yield
    finally:
        stop.set()
        thread.join()


def test_operator_replays_and_looks_after_parked_events(
    installed: None, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(line: str, expected: int = 0) -> str:
        assert main(line.split()) == expected, line
        return capsys.readouterr().out

    reader = Reader()
    with reader_running(settings, reader, 6):
        status = json.loads(run("status --json"))
        (consumer,) = status["consumers"]
        assert (consumer["name"], consumer["parked_events"], consumer["is_running"]) == (
            "reader",
            1,
            True,
        )
        assert "reader" in run("status")
        assert "too odd" in run("parked list")
        (parked,) = json.loads(run("parked list --consumer reader --json"))
        assert parked["position"] == 2
        assert "too odd" in run(f"parked retry {parked['id']}", expected=1)
        reader.faults.clear()
        assert json.loads(run("parked retry --consumer reader --json")) == {
            "handled": 1,
            "left": [],
        }
        said = json.loads(run("replay reader --from 2 --to 4 --json"))
        assert said == {"consumer": "reader", "from": 2, "to": 4, "events": 3}
        assert run("replay reader --from 5").startswith("From 5 to 6.")
        assert run("replay reader --cancel") == "Called off: 0.\n"
    assert len(reader.seen) == 6 + 3 + 2
    assert "begins with" in run("consumer start other --at 3")
    assert "forgotten" in run("consumer forget other")
    assert json.loads(run("parked list --json")) == []
