"""The real sidecar at its bounds: a backlog, a disk without inodes, and SIGTERM under load."""

import smtplib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pillarbox import compose, wait_until
from sidecar import Sidecar, mounted, sidecar

from app.storage.spool.progress import save_progress

pytestmark = pytest.mark.flow

ADDRESS = "anyone@example.test"
STOP_SECONDS = 2
# Asking again and again what one does not want is otherwise a reason to be sent away.
PATIENT = {"SMTP_MAX_FRUITLESS_COMMANDS": "100000"}


def send(client: smtplib.SMTP, number: int, size_bytes: int = 4000) -> str:
    """The id it got."""
    client.mail("sender@example.org")
    client.rcpt(ADDRESS)
    code, answer = client.data(compose(ADDRESS, number, size_bytes))
    assert code == 250, answer
    return answer.decode().split()[-1]


def ask(client: smtplib.SMTP) -> tuple[int, bytes]:
    """The reply to MAIL, of which nothing comes."""
    answer = client.mail("sender@example.org")
    client.rset()
    return answer


def test_mail_gets_452_past_the_bound_of_the_backlog_and_250_when_it_was_read(
    tmp_path: Path,
) -> None:
    bound = {"SPOOL_MAX_BACKLOG_BYTES": "20000"}
    with sidecar(tmp_path, **bound, **PATIENT) as one, one.connect() as client:
        stored = [send(client, number) for number in range(6)]
        wait_until(lambda: ask(client)[0] == 452, "refused")
        assert ask(client) == (452, b"4.3.1 Too much mail waits here, try again later")
        save_progress(one.spool, one.ends())
        wait_until(lambda: ask(client)[0] == 250, "accepted again")
        assert [str(item.metadata.item_id) for item in one.stored()] == stored


@pytest.fixture
def few_inodes(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 300 inodes."""
    with mounted(tmp_path / "disk", "size=20m,nr_inodes=300") as folder:
        yield folder


def test_mail_gets_452_below_the_threshold_of_inodes_and_250_above_it(few_inodes: Path) -> None:
    threshold = {"SPOOL_MIN_FREE_INODES": "100"}
    with sidecar(few_inodes, **threshold, **PATIENT) as one, one.connect() as client:
        send(client, 1)
        fillers = [few_inodes / f"filler{number}" for number in range(200)]
        for filler in fillers:
            filler.touch()
        wait_until(lambda: ask(client)[0] == 452, "refused")
        for filler in fillers:
            filler.unlink()
        wait_until(lambda: ask(client)[0] == 250, "accepted again")


def test_sigterm_under_load_loses_nothing_and_ends_within_its_bound(tmp_path: Path) -> None:
    with sidecar(tmp_path, SMTP_STOP_SECONDS=str(STOP_SECONDS)) as one:
        acknowledged: list[str] = []
        senders = [
            threading.Thread(target=send_until_stopped, args=(one, part, acknowledged))
            for part in range(8)
        ]
        for sender in senders:
            sender.start()
        slow, unfinished = one.connect(), one.connect()
        unfinished.mail("sender@example.org")
        unfinished.rcpt(ADDRESS)
        unfinished.putcmd("DATA")
        assert unfinished.getreply()[0] == 354
        wait_until(lambda: len(acknowledged) > 50, "mail flows")

        assert one.process is not None
        one.process.terminate()
        asked_at = time.monotonic()
        assert slow.getreply()[0] == 421
        wait_until(lambda: is_refused(one), "no new connections")
        assert one.process.wait(30) == 0
        # It waits for the one that never finishes, and no longer. The bound is wide, as syncs and
        # a busy machine come on top.
        assert time.monotonic() - asked_at < STOP_SECONDS + 20
        for sender in senders:
            sender.join(30)
        stored = [str(item.metadata.item_id) for item in one.stored()]
        assert set(acknowledged) <= set(stored)
        assert len(stored) == len(set(stored))
        assert list(one.spool.glob("*/*.open")) == []
        assert list(one.spool.glob("*/bodies/*")) == []
        assert "smtp.stopped" in one.said.read_text()


def send_until_stopped(one: Sidecar, part: int, acknowledged: list[str]) -> None:
    """Also mails of which the sidecar takes nothing more, at whatever point that is."""
    number = 0
    try:
        with one.connect() as client:
            while True:
                number += 1
                acknowledged.append(send(client, part * 1_000_000 + number))
    except (smtplib.SMTPException, OSError, AssertionError):
        pass


def is_refused(one: Sidecar) -> bool:
    assert one.address is not None
    try:
        socket.create_connection((one.address.host, one.address.port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False
