"""`pillarbox spool`, as an operator meets it."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from mailroom import Mailroom

from app.cli import main
from app.core.clock import SystemClock
from app.core.ids import Ids
from app.storage.spool.folder_writer import FolderLimits
from app.storage.spool.forms import FolderSpool
from app.storage.spool.port import Envelope, ItemMetadata
from app.storage.spool.survey import check

Run = Callable[..., list[str]]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SMALL = FolderLimits(min_free_bytes=0, max_segment_size_bytes=2500)


def facts(number: int, mail_from: str = "sender@example.org") -> ItemMetadata:
    return ItemMetadata(
        item_id=UUID(int=number),
        trace_id=UUID(int=number << 64),
        received_at=NOW + timedelta(minutes=number),
        envelope=Envelope(mail_from, (f"to{number}@example.com",)),
        source="smtp",
        source_id="",
        client_address="192.0.2.1",
        client_name="client.example.org",
        prefix_size_bytes=0,
    )


async def fill(spool: FolderSpool, *, close: bool = True) -> Any:
    """Three segments of two, two and three items, one of them large."""
    writer = await spool.open_writer("smtp")
    for number in range(1, 6):
        await writer.put(facts(number), b"x" * 1000)
    path = writer.new_body_file()
    path.write_bytes(b"large" * 1000)
    await writer.put(facts(6), path)
    await writer.put(facts(7, "Other@example.org"), b"the last")
    if close:
        await writer.close()
    return writer


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder in which nothing runs."""
    for name in ("DATABASE_URL", "SPOOL_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "data"


@pytest.fixture
def spool(data: Path) -> FolderSpool:
    spool = FolderSpool(data / "spool", SystemClock(), Ids(), SMALL)
    asyncio.run(fill(spool))
    return spool


@pytest.fixture
def run(data: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """The lines that `pillarbox spool …` prints."""

    def run(*words: str, code: int = 0) -> list[str]:
        assert main(["spool", *words, "--data", str(data)]) == code
        said = capsys.readouterr()
        return (said.out or said.err).splitlines()

    return run


def as_json(lines: Sequence[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def segment_file(spool: FolderSpool, number: int, suffix: str = "seg") -> Path:
    return spool.root / "smtp-0" / f"{number:016d}.{suffix}"


def test_status_counts_what_lies_there_without_a_database(spool: FolderSpool, run: Run) -> None:
    (told,) = as_json(run("status", "--json"))
    assert (told["producers"], told["items"], told["segments"]) == ("smtp-0", 7, 3)
    assert told["segments_sealed"] == 3
    assert (told["waiting_items"], told["oldest_age_seconds"]) == (None, None)
    assert told["disk_free_bytes"] > 0
    assert told["disk_free_inodes"] > 0
    assert any(line.split() == ["items", "7"] for line in run("status"))
    assert any(
        line.startswith("waiting items ") and "no database" in line for line in run("status")
    )


def test_a_spool_that_is_not_there_is_one_line_and_is_not_made(data: Path, run: Run) -> None:
    for verb in ("status", "verify", "list"):
        (line,) = run(verb, code=1)
        assert line == f"There is no spool in {data / 'spool'}."
    assert not data.exists()


def test_list_shows_the_newest_items_first_and_takes_filters(spool: FolderSpool, run: Run) -> None:
    def numbers(*words: str) -> list[int]:
        return [UUID(row["id"]).int for row in as_json(run("list", "--json", *words))]

    assert numbers() == [7, 6, 5, 4, 3, 2, 1]
    assert numbers("--limit", "2") == [7, 6]
    assert numbers("--since", "2026-03-01T12:02", "--until", "2026-03-01T12:05Z") == [4, 3, 2]
    assert numbers("--since", "1d") == []
    assert numbers("--sender", "OTHER@") == [7]
    assert numbers("--recipient", "to3@") == [3]
    assert numbers("--segment", "smtp-0/1") == [2, 1]
    assert numbers("--state", "waiting") == []
    title, first, *_ = run("list")
    assert title.split() == ["ID", "TIME", "SENDER", "RECIPIENTS", "BYTES", "SEGMENT", "STATE"]
    assert first.split()[1:] == (
        ["2026-03-01T12:07:00", "Other@example.org", "to7@example.com", "8", "smtp-0/3", "?"]
    )


@pytest.mark.parametrize(
    "words",
    [
        ("list", "--since", "yesterday"),
        ("list", "--segment", "smtp-0"),
        ("show", "nonsense"),
        ("show", str(UUID(int=99))),
        ("replay",),
    ],
)
def test_a_bad_question_is_answered_in_one_line(
    spool: FolderSpool, run: Run, words: Sequence[str]
) -> None:
    assert len(run(*words, code=1)) == 1


def test_show_tells_the_facts_of_an_item_and_gives_its_bytes(
    spool: FolderSpool, data: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["spool", "show", str(UUID(int=6)), "--raw", "--data", str(data)]) == 0
    assert capfdbinary.readouterr().out == b"large" * 1000
    assert main(["spool", "show", str(UUID(int=6)), "--json", "--data", str(data)]) == 0
    told = json.loads(capfdbinary.readouterr().out)
    assert (told["size_bytes"], told["rcpt_to"]) == (5000, ["to6@example.com"])
    assert main(["spool", "show", str(UUID(int=6)), "--data", str(data)]) == 0
    assert b"client name        client.example.org\n" in capfdbinary.readouterr().out


def test_a_strangers_address_does_not_steer_the_terminal(data: Path, run: Run) -> None:
    async def put() -> None:
        spool = FolderSpool(data / "spool", SystemClock(), Ids(), SMALL)
        writer = await spool.open_writer("imap")
        await writer.put(facts(1, "\x1b[2Ja\udcff@example.org"), b"")
        await writer.close()

    asyncio.run(put())
    assert r"\x1b[2Ja\udcff@example.org" in run("list")[1]


def test_verify_is_content_with_a_spool_as_it_was_written(spool: FolderSpool, run: Run) -> None:
    *_, last = run("verify")
    assert last == "3 segments, 7 items: all as it was written."
    assert [line["faults"] for line in as_json(run("verify", "--json"))] == [[]] * 3


def test_verify_looks_while_a_producer_writes(data: Path, run: Run) -> None:
    async def look() -> None:
        spool = FolderSpool(data / "spool", SystemClock(), Ids(), SMALL)
        writer = await fill(spool, close=False)
        lines = await asyncio.to_thread(run, "verify")
        assert lines[-1] == "3 segments, 7 items: all as it was written."
        assert "open" in lines[-2]
        await writer.close()

    asyncio.run(look())


def flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def test_verify_names_a_changed_byte(spool: FolderSpool, run: Run) -> None:
    flip(segment_file(spool, 2), 900)
    *_, fault, last = run("verify", code=1)
    assert fault.startswith("smtp-0/2, bytes 64 to ")
    assert fault.endswith("the checksum of the record is wrong.")
    assert "1 fault" in last


def test_verify_names_a_body_file_that_is_missing_or_changed(spool: FolderSpool, run: Run) -> None:
    (body,) = (spool.root / "smtp-0" / "bodies").iterdir()
    flip(body, 100)
    assert "was changed" in run("verify", code=1)[-2]
    body.unlink()
    assert "is missing" in run("verify", code=1)[-2]


def test_a_segment_that_is_removed_while_it_is_looked_at_has_no_faults(
    spool: FolderSpool,
) -> None:
    async def look() -> None:
        async for stored in spool.segments():
            segment_file(spool, stored.number).unlink()
            for body in (spool.root / "smtp-0" / "bodies").iterdir():
                body.unlink()
            assert not check(stored).faults

    asyncio.run(look())


def test_verify_names_a_missing_footer(spool: FolderSpool, run: Run) -> None:
    path = segment_file(spool, 1)
    path.write_bytes(path.read_bytes()[:-20])
    assert run("verify", code=1)[-1] == "3 segments, 7 items: 1 fault."


def test_verify_tells_a_torn_tail_from_damage(spool: FolderSpool, run: Run) -> None:
    """The newest segment as a crash leaves it: open, and its last record cut short."""
    whole = segment_file(spool, 3)
    torn = whole.rename(segment_file(spool, 3, "open"))
    torn.write_bytes(torn.read_bytes()[:-300])
    lines = run("verify")
    assert lines[-1] == "3 segments, 6 items: all as it was written."
    assert "bytes at its end were never acknowledged" in lines[-2]
    flip(segment_file(spool, 2), 70)
    assert "1 fault" in run("verify", code=1)[-1]


async def ask(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    assert await asyncio.to_thread(main, ["spool", *words, "--json"]) == 0
    return as_json(capsys.readouterr().out.splitlines())


def mail(number: int) -> bytes:
    return (
        f"From: a@example.org\r\nSubject: mail {number}\r\nMessage-ID: <{number}@example.org>\r\n"
        f"\r\nHello {number}\r\n"
    ).encode()


async def test_states_follow_ingestion(
    installed: None, mailroom: Mailroom, capsys: pytest.CaptureFixture[str]
) -> None:
    first = await mailroom.spool(mail(1))
    (row,) = await ask(capsys, "list")
    assert (row["id"], row["state"]) == (str(first.item_id), "waiting")
    (told,) = await ask(capsys, "status")
    assert (told["waiting_items"], told["deferred_items"]) == (1, 0)
    assert told["waiting_bytes"] == row["size_bytes"]
    assert told["oldest_age_seconds"] >= 0
    await mailroom.take_in()
    second = await mailroom.spool(mail(2))
    rows = await ask(capsys, "list")
    assert [(row["id"], row["state"]) for row in rows] == [
        (str(second.item_id), "waiting"),
        (str(first.item_id), "done"),
    ]
    assert [row["id"] for row in await ask(capsys, "list", "--state", "done")] == [
        str(first.item_id)
    ]


async def test_replay_stores_nothing_twice_and_brings_back_what_is_missing(
    installed: None, mailroom: Mailroom, capsys: pytest.CaptureFixture[str]
) -> None:
    items = [await mailroom.spool(mail(number)) for number in range(3)]
    await mailroom.take_in()
    before = {row.id for row in await mailroom.rows()}
    database = mailroom.services.database
    await database.execute("delete from attachment")
    await database.execute("delete from message where subject = 'mail 1'")
    waiting = await mailroom.spool(mail(9))

    (told,) = await ask(capsys, "replay", "--since", "1h")
    assert told == {"handed": 3, "waiting": 1, "quarantined": 0}
    states = {row["id"]: row["state"] for row in await ask(capsys, "list")}
    assert states[str(items[0].item_id)] == "deferred"
    assert states[str(waiting.item_id)] == "waiting"

    mailroom.services.clock.moved_seconds = 1  # type: ignore[attr-defined]
    await mailroom.take_in()
    after = [row.id for row in await mailroom.rows()]
    assert len(after) == len(set(after)) == 4
    assert before < set(after)
    assert await mailroom.quarantined() == []
    assert await mailroom.events("message.duplicate") == []
    assert {row["state"] for row in await ask(capsys, "list")} == {"done"}


async def test_replay_takes_ids_and_whole_segments_and_leaves_quarantine_alone(
    installed: None, mailroom: Mailroom, capsys: pytest.CaptureFixture[str]
) -> None:
    known = await mailroom.spool(mail(1))
    unknown = await mailroom.spool(mail(2), "nobody@example.test")
    await mailroom.take_in()
    assert len(await mailroom.quarantined()) == 1
    (told,) = await ask(capsys, "replay", str(known.item_id))
    assert told == {"handed": 1, "waiting": 0, "quarantined": 0}
    (told,) = await ask(capsys, "replay", "--segment", "smtp-0/1")
    assert told == {"handed": 1, "waiting": 0, "quarantined": 1}
    (told,) = await ask(capsys, "replay", str(unknown.item_id))
    assert told == {"handed": 0, "waiting": 0, "quarantined": 1}
    nobody = UUID(int=1)
    assert await asyncio.to_thread(main, ["spool", "replay", str(nobody)]) == 1
    assert str(nobody) in capsys.readouterr().err
