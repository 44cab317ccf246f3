"""What the sidecar may say of a recipient, by what is in the snapshot and how old it is."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import Unavailable
from app.directory.snapshot import (
    DirectorySnapshot,
    DomainEntry,
    MailboxEntry,
    RecipientVerdict,
    SnapshotFile,
    resolve_recipient,
    save_snapshot,
    snapshot_path,
    touch_snapshot,
)
from app.settings import read_settings

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SNAPSHOT = DirectorySnapshot(
    position=3,
    domains={
        "example.test": DomainEntry(),
        "all.test": DomainEntry(catch_all=True),
        "discard.test": DomainEntry("accept_and_discard"),
        "after.test": DomainEntry("reply_after_data"),
        "paused.test": DomainEntry(status="soft_rejected", catch_all=True),
        "suspended.test": DomainEntry(status="suspended", catch_all=True),
        "xn--bcher-kva.test": DomainEntry(),
    },
    mailboxes={
        "ann@example.test": MailboxEntry(),
        "a+b@example.test": MailboxEntry(),
        "later@example.test": MailboxEntry(NOW + timedelta(seconds=1)),
        "gone@example.test": MailboxEntry(NOW),
        "gone+tag@all.test": MailboxEntry(NOW),
        "gone@discard.test": MailboxEntry(NOW),
        "gone@after.test": MailboxEntry(NOW),
        "known@discard.test": MailboxEntry(),
        "postmaster@after.test": MailboxEntry(),
        "josé@xn--bcher-kva.test": MailboxEntry(),
    },
)


@dataclass
class FixedClock:
    time: datetime = NOW

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "directory.snapshot"


def age(path: Path, seconds: float) -> None:
    os.utime(path, (NOW.timestamp() - seconds,) * 2)


@pytest.mark.parametrize(
    ("address", "verdict"),
    [
        ("ann@example.test", RecipientVerdict.ACCEPT),
        ("ANN@Example.TEST", RecipientVerdict.ACCEPT),
        ("ann+news@example.test", RecipientVerdict.ACCEPT),
        ("ann+a+b@example.test", RecipientVerdict.ACCEPT),
        ("a+b@example.test", RecipientVerdict.ACCEPT),
        ("a@example.test", RecipientVerdict.UNKNOWN),
        ("+tag@example.test", RecipientVerdict.UNKNOWN),
        ("later@example.test", RecipientVerdict.ACCEPT),
        ("anyone@all.test", RecipientVerdict.ACCEPT),
        ("gone+tag@all.test", RecipientVerdict.ACCEPT),
        ("known@discard.test", RecipientVerdict.ACCEPT),
        ("anyone@discard.test", RecipientVerdict.ACCEPT),
        ("anyone@after.test", RecipientVerdict.REFUSE_AFTER_DATA),
        ("ann@paused.test", RecipientVerdict.SOFT_REJECTED),
        ("ann@suspended.test", RecipientVerdict.SUSPENDED),
        ("ann@elsewhere.test", RecipientVerdict.NOT_HOSTED),
        ("ann@sub.example.test", RecipientVerdict.NOT_HOSTED),
        ("ann@[192.0.2.1]", RecipientVerdict.NOT_HOSTED),
        ("ann", RecipientVerdict.NOT_HOSTED),
        ("postmaster@after.test", RecipientVerdict.ACCEPT),
        ("Postmaster@all.test", RecipientVerdict.ACCEPT),
        ("postmaster@example.test", RecipientVerdict.UNKNOWN),
        ("JOSÉ@bücher.test", RecipientVerdict.ACCEPT),
    ],
)
def test_a_recipient_is_found_by_mailbox_then_tag_then_catch_all(address, verdict):
    assert resolve_recipient(SNAPSHOT, address, NOW) is verdict


@pytest.mark.parametrize("domain", ["example.test", "all.test", "discard.test", "after.test"])
def test_an_expired_mailbox_answers_like_one_that_never_existed(domain):
    expired = resolve_recipient(SNAPSHOT, f"gone@{domain}", NOW)
    assert expired is resolve_recipient(SNAPSHOT, f"never@{domain}", NOW)


@pytest.mark.parametrize("age_seconds", [0, 9.9, -9.9])
def test_a_fresh_snapshot_answers_for_what_it_lacks(path, age_seconds):
    save_snapshot(path, SNAPSHOT)
    age(path, age_seconds)
    file = SnapshotFile(path, FixedClock())

    assert file.resolve("never@example.test") is RecipientVerdict.UNKNOWN
    assert file.resolve("ann@elsewhere.test") is RecipientVerdict.NOT_HOSTED


@pytest.mark.parametrize("age_seconds", [10, 3600, -10])
@pytest.mark.parametrize(
    "address",
    [
        "never@example.test",
        "never@after.test",
        "ann@elsewhere.test",
        "ann@suspended.test",
        "ann@paused.test",
        "gone@example.test",
    ],
)
def test_a_stale_snapshot_refuses_nothing_for_good(path, address, age_seconds):
    save_snapshot(path, SNAPSHOT)
    age(path, age_seconds)
    assert SnapshotFile(path, FixedClock()).resolve(address) is RecipientVerdict.TRY_LATER


def test_a_stale_snapshot_still_answers_for_what_it_holds(path):
    save_snapshot(path, SNAPSHOT)
    age(path, 86_400)
    file = SnapshotFile(path, FixedClock())
    assert file.resolve("ann@example.test") is RecipientVerdict.ACCEPT
    assert file.resolve("anyone@all.test") is RecipientVerdict.ACCEPT


@pytest.mark.parametrize("age_seconds", [0, 60])
def test_where_all_is_accepted_known_and_unknown_are_answered_alike(path, age_seconds):
    save_snapshot(path, SNAPSHOT)
    age(path, age_seconds)
    file = SnapshotFile(path, FixedClock())
    for name in ("known", "never", "gone", "never+tag", "postmaster"):
        assert file.resolve(f"{name}@discard.test") is RecipientVerdict.ACCEPT


def test_without_a_snapshot_everything_is_to_be_tried_later(path):
    file = SnapshotFile(path, FixedClock())
    assert file.current() is None
    assert file.resolve("ann@example.test") is RecipientVerdict.TRY_LATER


def test_a_new_mailbox_is_seen_at_the_next_question(path):
    save_snapshot(path, SNAPSHOT)
    age(path, 0)
    file = SnapshotFile(path, FixedClock())
    assert file.resolve("new@example.test") is RecipientVerdict.UNKNOWN

    mailboxes = {**SNAPSHOT.mailboxes, "new@example.test": MailboxEntry()}
    save_snapshot(path, DirectorySnapshot(4, SNAPSHOT.domains, mailboxes))

    assert file.resolve("new@example.test") is RecipientVerdict.ACCEPT


def test_a_touch_makes_it_fresh_without_decoding_it_again(path):
    save_snapshot(path, SNAPSHOT)
    age(path, 60)
    clock = FixedClock()
    file = SnapshotFile(path, clock)
    assert file.resolve("never@example.test") is RecipientVerdict.TRY_LATER
    held = file.current()

    touch_snapshot(path)
    clock.time = datetime.fromtimestamp(time.time(), UTC)

    assert file.resolve("never@example.test") is RecipientVerdict.UNKNOWN
    assert file.current() is held


def test_a_snapshot_that_went_away_counts_no_more_until_it_is_back(path):
    save_snapshot(path, SNAPSHOT)
    age(path, 0)
    file = SnapshotFile(path, FixedClock())
    assert file.current() == SNAPSHOT
    path.unlink()
    assert file.resolve("ann@example.test") is RecipientVerdict.TRY_LATER
    save_snapshot(path, SNAPSHOT)
    assert file.resolve("ann@example.test") is RecipientVerdict.ACCEPT


def truncate(stored: bytes) -> bytes:
    return stored[:-1]


def flip(stored: bytes) -> bytes:
    return stored[:-10] + bytes([stored[-10] ^ 1]) + stored[-9:]


def forget_type(stored: bytes) -> bytes:
    return stored.replace(b"pillarbox-directory 1", b"pillarbox-directory 2")


@pytest.mark.parametrize(
    "damage", [truncate, flip, forget_type, lambda _: b"", lambda _: b"\0" * 9]
)
def test_a_damaged_snapshot_counts_as_none(path, damage: Callable[[bytes], bytes]):
    save_snapshot(path, SNAPSHOT)
    file = SnapshotFile(path, FixedClock())
    assert file.current() is not None

    path.write_bytes(damage(path.read_bytes()))

    assert file.current() is None
    assert file.resolve("ann@example.test") is RecipientVerdict.TRY_LATER
    save_snapshot(path, SNAPSHOT)
    assert file.current() == SNAPSHOT


def test_a_snapshot_of_another_form_counts_as_none(path):
    class Other(msgspec.Struct):
        position: str

    save_snapshot(path, Other("x"))  # type: ignore[arg-type]
    assert SnapshotFile(path, FixedClock()).current() is None


@settings(deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=20),
        st.builds(MailboxEntry, st.none() | st.datetimes(timezones=st.just(UTC))),
        max_size=5,
    )
)
def test_what_is_saved_is_read_back(tmp_path_factory, mailboxes):
    path = tmp_path_factory.mktemp("snapshot") / "directory.snapshot"
    snapshot = DirectorySnapshot(1, SNAPSHOT.domains, mailboxes)
    save_snapshot(path, snapshot)
    assert SnapshotFile(path, FixedClock()).current() == snapshot


def test_the_file_is_closed_to_others_and_replaced_whole(tmp_path):
    path = tmp_path / "spool" / "directory.snapshot"
    save_snapshot(path, SNAPSHOT)
    with path.open("rb") as open_before:
        before = path.read_bytes()
        save_snapshot(path, DirectorySnapshot(9, {}, {}))
        assert open_before.read() == before
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in path.parent.iterdir()] == ["directory.snapshot"]


def test_file_and_folder_are_synced_around_the_rename(path, monkeypatch):
    calls: list[str] = []
    for name in ("fsync", "rename"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, r=real: (calls.append(n), r(*a))[1])

    save_snapshot(path, SNAPSHOT)

    assert calls[-3:] == ["fsync", "rename", "fsync"]


def test_a_save_that_fails_leaves_the_old_snapshot(path, monkeypatch):
    save_snapshot(path, SNAPSHOT)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Unavailable):
        save_snapshot(path, DirectorySnapshot(9, {}, {}))

    assert SnapshotFile(path, FixedClock()).current() == SNAPSHOT
    assert [entry.name for entry in path.parent.iterdir()] == ["directory.snapshot"]


def test_touching_what_is_not_there_is_unavailable(path):
    with pytest.raises(Unavailable):
        touch_snapshot(path)


@pytest.mark.parametrize(
    ("spool_url", "expected"),
    [
        ("", "data/spool/directory.snapshot"),
        ("/var/spool/pillarbox", "/var/spool/pillarbox/directory.snapshot"),
        ("s3:spool/", "data/directory.snapshot"),
    ],
)
def test_the_snapshot_lies_beside_a_folder_spool(spool_url, expected):
    settings = read_settings(
        {
            "SECRET_KEY": "k" * 32,
            "ENCRYPTION_KEY": "e" * 32,
            "SPOOL_URL": spool_url,
            "S3_BUCKET_NAME": "bucket",
        }
    )
    assert snapshot_path(settings) == Path(expected)
