"""Killing the sidecar again and again while mail comes in, with ingestion running behind it."""

import itertools
import json
import random
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
from pillarbox import Pillarbox, compose, installation, send, subjects_of, wait_until
from sidecar import Sidecar

TENANT = "Temporary inboxes"
SMALL_SENDERS, LARGE_SENDERS = 6, 2
SMALL_SIZE_BYTES, LARGE_SIZE_BYTES = 1000, 400_000
ACKNOWLEDGED_BETWEEN_KILLS = 20
_PAUSE_SECONDS = 0.02


@dataclass(frozen=True)
class Outcome:
    """What became of the mails. `unanswered` were sent and broke off before a reply came."""

    kills: int
    acknowledged: int
    unanswered: int
    in_inbox: int
    lost: Sequence[str]
    stored_twice: Sequence[str]
    duplicates_told_apart: int
    seconds: float


@dataclass
class _Sender(threading.Thread):
    """Sends numbered mails until told to stop. One without a reply is sent again, with the same
    Message-ID, as every mail server does."""

    connect: Callable[[], smtplib.SMTP]
    address: str
    numbers: "itertools.count[int]"
    size_bytes: int
    stop: threading.Event
    acknowledged: list[str] = field(default_factory=list)
    unanswered: int = 0

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        number: str | None = None
        while not self.stop.is_set() or number is not None:
            with suppress(OSError, smtplib.SMTPException), self.connect() as client:
                while not self.stop.is_set() or number is not None:
                    number = number or f"{next(self.numbers)}"
                    self.unanswered += 1
                    if send(client, self.address, compose(self.address, number, self.size_bytes)):
                        self.acknowledged.append(number)
                        number = None
                    self.unanswered -= 1
            time.sleep(_PAUSE_SECONDS)


def kill_sidecar_under_load(kills: int, *, seed: int = 7) -> Outcome:
    """Kills it `kills` times with SIGKILL, each time after a few more mails were acknowledged and
    a random moment later, and then waits until every mail has come out at the other end."""
    began, chance = time.monotonic(), random.Random(seed)
    with installation() as pillarbox:
        pillarbox.start()
        address = pillarbox.create_inbox().address
        one = _second_sidecar(pillarbox)
        senders = _start_senders(one, address)
        try:
            for _ in range(kills):
                goal = _count(senders) + ACKNOWLEDGED_BETWEEN_KILLS
                wait_until(lambda goal=goal: _count(senders) >= goal, "mail goes on")
                time.sleep(chance.uniform(0, 0.05))
                one.kill()
                one.start()
        finally:
            senders[0].stop.set()
        for sender in senders:
            sender.join(60)
            assert not sender.is_alive(), "a mail was never acknowledged"
        one.stop()
        return _judge(pillarbox, address, senders, kills, began)


def _second_sidecar(pillarbox: Pillarbox) -> Sidecar:
    """One that the supervisor does not watch, on the spool and with the settings of the first."""
    run = json.loads((pillarbox.data / "run.json").read_text())
    return Sidecar(pillarbox.data, {**run["environment"], "SMTP_LISTEN": "127.0.0.1:0"}).start()


def _start_senders(one: Sidecar, address: str) -> "list[_Sender]":
    numbers, stop = itertools.count(), threading.Event()
    sizes = [SMALL_SIZE_BYTES] * SMALL_SENDERS + [LARGE_SIZE_BYTES] * LARGE_SENDERS
    senders = [_Sender(one.connect, address, numbers, size, stop) for size in sizes]
    for sender in senders:
        sender.start()
    return senders


def _count(senders: "Sequence[_Sender]") -> int:
    return sum(len(sender.acknowledged) for sender in senders)


def _judge(
    pillarbox: Pillarbox, address: str, senders: "Sequence[_Sender]", kills: int, began: float
) -> Outcome:
    acknowledged = {f"mail {number}" for sender in senders for number in sender.acknowledged}
    scopes = ("messages:read", "events:read")
    key = pillarbox.run("key", "create", "--tenant", TENANT, "--scope", *scopes)
    with suppress(AssertionError):
        wait_until(
            lambda: acknowledged <= set(subjects_of(pillarbox, key, address)), "all arrived", 60
        )
    wait_until(
        lambda: json.loads(pillarbox.run("status", "--json"))["spool_waiting_bytes"] == 0,
        "the spool is read",
    )
    found = Counter(subjects_of(pillarbox, key, address))
    return Outcome(
        kills=kills,
        acknowledged=len(acknowledged),
        unanswered=sum(sender.unanswered for sender in senders),
        in_inbox=found.total(),
        lost=sorted(acknowledged - set(found)),
        stored_twice=[subject for subject, count in found.items() if count > 1],
        duplicates_told_apart=_count_duplicates(pillarbox, key),
        seconds=time.monotonic() - began,
    )


def _count_duplicates(pillarbox: Pillarbox, key: str) -> int:
    """Mails that were stored before their connection broke, and came again."""
    answer = httpx.get(
        f"{pillarbox.url}/api/v1/events",
        params={"type": "message.duplicate", "limit": "200"},
        headers={"authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 200, answer.text
    return len(answer.json()["items"])
