"""A disk that fails or fills up under the real sidecar: 451 or 452, and nothing is lost."""

import contextlib
import os
import smtplib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pillarbox import compose
from sidecar import Sidecar, mounted, sidecar

pytestmark = pytest.mark.flow

SMALL, LARGE = 1000, 400_000
ADDRESS = "anyone@example.test"


@dataclass
class Correspondence:
    """One connection, never closed, and what was acknowledged on it."""

    one: Sidecar
    client: smtplib.SMTP
    sent: int = 0
    acknowledged: list[str] = field(default_factory=list)

    def send(self, size_bytes: int = SMALL) -> int:
        """The reply code at the point where the mail was refused, or 250."""
        self.sent += 1
        code = self.client.mail("sender@example.org")[0]
        if code != 250:
            return code
        assert self.client.rcpt(ADDRESS)[0] == 250
        code, answer = self.client.data(compose(ADDRESS, self.sent, size_bytes))
        if code == 250:
            self.acknowledged.append(answer.decode().split()[-1])
        return code

    def send_until_accepted(self, size_bytes: int = SMALL) -> None:
        """Not too often: who only ever sends what is refused is sent away."""
        for _ in range(10):
            if self.send(size_bytes) == 250:
                return
            time.sleep(0.2)
        raise AssertionError("mail is not accepted again")

    def send_until_refused(self, size_bytes: int = SMALL) -> int:
        for _ in range(200):
            if (code := self.send(size_bytes)) != 250:
                return code
        raise AssertionError("the disk is not full")


@contextlib.contextmanager
def running(folder: Path, **environment: str) -> Iterator[Correspondence]:
    """A connection to a sidecar. At its end nothing that was acknowledged may be missing."""
    with sidecar(folder, **environment) as one:
        with one.connect() as client:
            mails = Correspondence(one, client)
            yield mails
        assert_nothing_lost(one, mails.acknowledged)


def assert_nothing_lost(one: Sidecar, acknowledged: list[str]) -> None:
    """Read while it runs, after it was stopped, and after the next start has sealed all."""
    for step in (lambda: None, one.stop, one.start):
        step()
        stored = [str(item.metadata.item_id) for item in one.stored()]
        assert set(acknowledged) <= set(stored)
        assert len(stored) == len(set(stored))
    assert one.process is not None
    one.stop()


def test_mail_gets_451_while_syncs_fail_and_250_on_the_same_connection_afterwards(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as mails:
        assert [mails.send(), mails.send(LARGE)] == [250, 250]
        mails.one.failing.touch()
        assert [mails.send(), mails.send(LARGE), mails.send()] == [451, 451, 451]
        mails.one.failing.unlink()
        mails.send_until_accepted()
        assert mails.send(LARGE) == 250


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for 6 MB."""
    with mounted(tmp_path / "disk", "size=6m") as folder:
        yield folder


@contextlib.contextmanager
def filled(folder: Path, left_bytes: int) -> Iterator[None]:
    """Others have taken the disk but for this much."""
    figures = os.statvfs(folder)
    filler = folder / "filler"
    filler.write_bytes(bytes(max(0, figures.f_bavail * figures.f_frsize - left_bytes)))
    yield
    filler.unlink()


@pytest.mark.parametrize("size_bytes", [SMALL, LARGE], ids=["small", "large"])
def test_mail_gets_452_when_the_disk_is_full_and_250_on_the_same_connection_afterwards(
    small_disk: Path, size_bytes: int
) -> None:
    """With no threshold at all: the kernel itself says that there is no room, also for the log,
    which lies on the same disk."""
    with running(small_disk) as mails:
        assert mails.send(size_bytes) == 250
        with filled(small_disk, left_bytes=100_000):
            assert mails.send_until_refused(size_bytes) == 452
            assert {mails.send(size_bytes) for _ in range(5)} <= {451, 452}
        mails.send_until_accepted(size_bytes)
        mails.send_until_accepted(SMALL)


def test_mail_gets_452_at_mail_from_below_the_threshold_and_250_above_it(small_disk: Path) -> None:
    with running(small_disk, SPOOL_MIN_FREE_BYTES="2000000") as mails:
        assert mails.send() == 250
        with filled(small_disk, left_bytes=1_000_000):
            assert mails.send_until_refused() == 452
            assert mails.client.mail("sender@example.org")[0] == 452
            assert mails.client.docmd("NOOP")[0] == 250
        mails.send_until_accepted()
