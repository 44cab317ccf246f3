"""Kill -9 of anything, at any time: what got a 250 is in the inbox once."""

import random
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
from pillarbox import Pillarbox, compose, installation, send, subjects_of, wait_until

pytestmark = pytest.mark.flow

TENANT = "Temporary inboxes"
MAILS = 2000


class Sender(threading.Thread):
    """Sends numbered mails one after the other and remembers which got a 250.

    A mail without an answer is sent again, as every mail server does.
    """

    def __init__(self, pillarbox: Pillarbox, address: str, numbers: list[str]) -> None:
        super().__init__(daemon=True)
        self.pillarbox, self.address, self.numbers = pillarbox, address, numbers
        self.accepted: list[str] = []

    def run(self) -> None:
        waiting = list(reversed(self.numbers))
        while waiting:
            try:
                with self.pillarbox.connect() as client:
                    client.ehlo("client.example.org")
                    while waiting:
                        if send(client, self.address, compose(self.address, waiting[-1])):
                            self.accepted.append(waiting.pop())
            except (OSError, smtplib.SMTPException):
                time.sleep(0.1)


Disturb = Callable[[list[Sender]], None]


def send_while(pillarbox: Pillarbox, address: str, count: int, disturb: Disturb) -> list[str]:
    numbers = [f"{index}" for index in range(count)]
    senders = [Sender(pillarbox, address, numbers[part::4]) for part in range(4)]
    for sender in senders:
        sender.start()
    disturb(senders)
    for sender in senders:
        sender.join(240)
        assert not sender.is_alive()
    return [number for sender in senders for number in sender.accepted]


def assert_all_arrived_once(pillarbox: Pillarbox, address: str, accepted: list[str]) -> None:
    wait_until(pillarbox.is_ready, "what was killed is back")
    key = pillarbox.run("key", "create", "--tenant", TENANT, "--scope", "messages:read")
    expected = {f"mail {number}" for number in accepted}
    wait_until(
        lambda: expected <= set(subjects_of(pillarbox, key, address)), "all mail arrived", 120
    )
    counted = Counter(subjects_of(pillarbox, key, address))
    assert set(counted) == expected
    assert max(counted.values()) == 1


def accepted_by(senders: list[Sender]) -> int:
    return sum(len(sender.accepted) for sender in senders)


def test_every_acknowledged_mail_is_there_once_when_each_process_is_killed_in_turn() -> None:
    with installation() as pillarbox:
        pillarbox.start()
        inbox = pillarbox.create_inbox()
        victims = ["worker", "smtp", "postgres", "valkey", "web"] * 2
        random.Random(7).shuffle(victims)

        def disturb(senders: list[Sender]) -> None:
            for number, victim in enumerate(victims, start=1):
                goal = number * MAILS // (len(victims) + 1)
                wait_until(lambda goal=goal: accepted_by(senders) >= goal, "mail goes on", 120)
                pillarbox.kill_child(victim)

        accepted = send_while(pillarbox, inbox.address, MAILS, disturb)
        assert len(accepted) == MAILS
        assert_all_arrived_once(pillarbox, inbox.address, accepted)


def test_every_acknowledged_mail_is_there_once_when_everything_is_killed_at_once() -> None:
    with installation() as pillarbox:
        pillarbox.start()
        inbox = pillarbox.create_inbox()

        def disturb(senders: list[Sender]) -> None:
            for goal in (MAILS // 5, MAILS // 2, MAILS * 4 // 5):
                wait_until(lambda goal=goal: accepted_by(senders) >= goal, "mail goes on", 120)
                pillarbox.kill()
                wait_until(lambda: not pillarbox.children(), "nothing outlives it", 30)
                pillarbox.start()

        accepted = send_while(pillarbox, inbox.address, MAILS, disturb)
        assert_all_arrived_once(pillarbox, inbox.address, accepted)
