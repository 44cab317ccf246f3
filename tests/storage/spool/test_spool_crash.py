"""A producer killed under load, again and again: what it acknowledged is read back, once."""

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from spool_samples import Everything, ReadAll, TurnedClock

from app.core.ids import Ids
from app.storage.spool.forms import FolderSpool

PROGRAM = Path(__file__).with_name("spool_load.py")
KILLS = 3
ACKNOWLEDGED_BEFORE_KILL = 300


def acknowledge_then_kill(root: Path) -> set[str]:
    """The ids that the producer said were durable, some of them after the kill was sent."""
    with subprocess.Popen(
        [sys.executable, PROGRAM, root], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(ACKNOWLEDGED_BEFORE_KILL)]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL
    return {line.strip() for line in acknowledged if line.endswith("\n")}


def check(found: Everything, acknowledged: set[str]) -> None:
    read = Counter(str(item) for item in found.ids)
    assert acknowledged <= set(read)
    assert set(read.values()) == {1}
    assert found.gaps == []
    for item in found.items:
        assert not item.raw.replace(item.metadata.item_id.bytes, b"")


async def test_what_was_acknowledged_is_read_once_when_the_producer_is_killed_under_load(
    tmp_path: Path, clock: TurnedClock, ids: Ids, read_all: ReadAll
) -> None:
    root = tmp_path / "spool"
    spool = FolderSpool(root, clock, ids)
    reader = await spool.open_reader()
    acknowledged: set[str] = set()
    followed: Everything | None = None
    read_while_running: list[str] = []
    for _ in range(KILLS):
        acknowledged |= acknowledge_then_kill(root)
        followed = await read_all(reader, followed, max_items=100)
        read_while_running += map(str, followed.ids)
        check(await read_all(reader, max_items=100), acknowledged)
    writer = await spool.open_writer("smtp")
    assert writer.producer == "smtp-0"
    check(await read_all(reader, max_items=100), acknowledged)
    assert sorted(read_while_running) == sorted(set(read_while_running))
    assert acknowledged <= set(read_while_running)
    await writer.close()
