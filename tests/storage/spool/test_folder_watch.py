"""When a look at a folder spool says that there is something to read."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from spool_samples import Items, make_segment

from app.storage.spool.folder_watch import FolderWatch
from app.storage.spool.port import Position

HOUR_NS = 3600 * 10**9


@dataclass
class Seconds:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "spool" / "smtp-0"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def watch(folder: Path, seconds: Seconds) -> FolderWatch:
    return FolderWatch(folder.parent, seconds)


def write_open(folder: Path, size_bytes: int) -> Path:
    path = folder / "0000000000000001.open"
    path.write_bytes(make_segment([(Items()(), bytes(1000))], sealed=False).data[:size_bytes])
    return path


def age(folder: Path, hours: int) -> None:
    """Makes the folder look as if it had not changed for so long."""
    now = folder.stat().st_atime_ns
    os.utime(folder, ns=(now, now - hours * HOUR_NS))


def test_nothing_is_behind_the_end_of_a_segment(watch: FolderWatch, folder: Path) -> None:
    write_open(folder, 500)
    assert not watch.look([Position("smtp-0", 1, 500)])
    assert watch.look([Position("smtp-0", 1, 499)])


def test_a_producer_without_a_position_counts_as_new(watch: FolderWatch, folder: Path) -> None:
    assert not watch.look([]), "it has no segment yet"
    write_open(folder, 500)
    assert watch.look([])


def test_a_torn_tail_is_looked_at_again_when_it_grows_or_a_second_has_passed(
    watch: FolderWatch, folder: Path, seconds: Seconds
) -> None:
    write_open(folder, 500)
    end = Position("smtp-0", 1, 64)
    assert watch.look([end])
    watch.remember_end(end, 500)
    assert not watch.look([end])
    write_open(folder, 501)
    assert watch.look([end])
    watch.remember_end(end, 501)
    assert not watch.look([end])
    seconds.now = 1.5
    assert watch.look([end])


def test_growth_is_seen_when_the_folder_did_not_change(watch: FolderWatch, folder: Path) -> None:
    write_open(folder, 500)
    for each in (folder, folder.parent):
        age(each, hours=1)
    end = Position("smtp-0", 1, 500)
    assert not watch.look([end])
    write_open(folder, 600)
    assert watch.look([end])


def test_sealing_and_the_next_segment_are_seen(watch: FolderWatch, folder: Path) -> None:
    path = write_open(folder, 500)
    for each in (folder, folder.parent):
        age(each, hours=2)
    end = Position("smtp-0", 1, 500)
    assert not watch.look([end])
    path.rename(path.with_suffix(".seg"))
    age(folder, hours=1)
    assert not watch.look([end]), "sealed without a footer, so nothing more is in it"
    (folder / "0000000000000002.open").touch()
    assert watch.look([end])


def test_another_producer_is_seen(watch: FolderWatch, folder: Path) -> None:
    write_open(folder, 500)
    end = Position("smtp-0", 1, 500)
    for each in (folder, folder.parent):
        age(each, hours=1)
    assert not watch.look([end])
    other = folder.parent / "imap-0"
    other.mkdir()
    write_open(other, 500)
    assert watch.look([end])


def test_a_missed_change_is_seen_after_a_second(
    watch: FolderWatch, folder: Path, seconds: Seconds
) -> None:
    """As on a file system whose time of change does not move."""
    write_open(folder, 500)
    for each in (folder, folder.parent):
        age(each, hours=1)
    end = Position("smtp-0", 1, 500)
    assert not watch.look([end])
    changed_at_ns = folder.stat().st_mtime_ns
    (folder / "0000000000000002.open").touch()
    os.utime(folder, ns=(changed_at_ns, changed_at_ns))
    assert not watch.look([end])
    seconds.now = 1.0
    assert watch.look([end])


def test_nothing_is_there_when_the_spool_is_missing(tmp_path: Path) -> None:
    assert not FolderWatch(tmp_path / "gone").look([])


def test_reading_is_to_say_why_when_the_disk_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert FolderWatch(tmp_path / "file" / "spool").look([])


def test_looking_ends_when_it_is_stopped(watch: FolderWatch, folder: Path) -> None:
    stop = threading.Event()
    stop.set()
    assert not watch.look_until([], 1000, stop)
