"""The names in a folder spool, and what two processes that come first make of them."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.core.errors import Corrupt
from app.core.ids import Ids
from app.storage.spool.disk import Disk
from app.storage.spool.layout import list_producers, list_segments, open_root


def test_every_process_draws_the_same_name_when_many_come_first(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "spool"
    with ThreadPoolExecutor(8) as threads:
        names = list(threads.map(lambda _: open_root(root, Ids(), Disk()), range(24)))
    assert len(set(names)) == 1
    assert [path.name for path in root.iterdir()] == ["spool-id"]


def test_an_emptied_name_is_told_and_not_drawn_again(tmp_path: Path) -> None:
    open_root(tmp_path, Ids(), Disk())
    (tmp_path / "spool-id").write_text("")
    with pytest.raises(Corrupt):
        open_root(tmp_path, Ids(), Disk())


def test_only_segments_and_producers_are_listed(tmp_path: Path) -> None:
    for name in ("smtp-0", "smtp-in-12", "smtp", "x.snapshot", "Smtp-0", "smtp-0.old"):
        (tmp_path / name).mkdir()
    assert list_producers(tmp_path) == ["smtp-0", "smtp-in-12"]
    for name in ("0000000000000001.seg", "1.seg", "0000000000000002.tmp", "lock"):
        (tmp_path / "smtp-0" / name).touch()
    assert [file.path.name for file in list_segments(tmp_path / "smtp-0")] == [
        "0000000000000001.seg"
    ]
    assert list_producers(tmp_path / "absent") == []
    assert list_segments(tmp_path / "absent") == []


@pytest.mark.parametrize(
    ("missed", "since"),
    [("0000000000000002.open", 0), ("0000000000000001.seg", 1), ("0000000000000003.open", 3)],
)
def test_a_listing_is_made_again_when_a_rename_made_it_miss_a_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missed: str, since: int
) -> None:
    for name in ("0000000000000001.seg", "0000000000000002.open", "0000000000000003.open"):
        (tmp_path / name).touch()
    listdir = os.listdir
    first = [True]

    def miss_once(folder: Path) -> list[str]:
        names = listdir(folder)
        if first.pop() if first else False:
            names.remove(missed)
        return names

    monkeypatch.setattr(os, "listdir", miss_once)
    assert [file.number for file in list_segments(tmp_path, since)] == (
        [3] if since == 3 else [1, 2, 3]
    )
