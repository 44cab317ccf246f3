"""From the 250 until a search finds the mail: whole processes, mail at a steady rate."""

import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1] / "flows"))
from pillarbox import Inbox, Pillarbox, compose, installation, send, wait_until

from tests.benchmarks.report import percentile

_TENANT = "Temporary inboxes"
_SIZE_BYTES = 4096
_LOOK_EVERY_SECONDS = 0.04


def measure_delay(*, rate: float = 20, seconds: float = 60) -> Mapping[str, float]:
    """Figures in milliseconds; a mail that is never found fails the measurement."""
    with installation() as pillarbox:
        pillarbox.start()
        inbox = pillarbox.create_inbox()
        key = pillarbox.run("key", "create", "--tenant", _TENANT, "--scope", "messages:read")
        watch = Watch(pillarbox, key, inbox)
        watch.start()
        answered = send_steadily(pillarbox, inbox, rate, int(rate * seconds))
        wait_until(lambda: answered.keys() <= watch.found.keys(), "all mail is found", 60)
        watch.stop()
    delays = [(watch.found[subject] - moment) * 1000 for subject, moment in answered.items()]
    return {
        "delay_mails": len(delays),
        "delay_mails_a_second": rate,
        "delay_median_ms": percentile(delays, 0.5),
        "delay_p99_ms": percentile(delays, 0.99),
        "delay_slowest_ms": max(delays),
    }


def send_steadily(
    pillarbox: Pillarbox, inbox: Inbox, rate: float, count: int
) -> Mapping[str, float]:
    """Subject to the moment of its 250."""
    answered: dict[str, float] = {}
    with pillarbox.connect() as client:
        client.ehlo("client.example.org")
        start = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, start + number / rate - time.monotonic()))
            if send(client, inbox.address, compose(inbox.address, number, _SIZE_BYTES)):
                answered[f"mail {number}"] = time.monotonic()
    return answered


class Watch(threading.Thread):
    """Searches again and again for what all the mails hold, and notes when each is first found."""

    def __init__(self, pillarbox: Pillarbox, key: str, inbox: Inbox) -> None:
        super().__init__(daemon=True)
        self.found: dict[str, float] = {}
        self._ended = threading.Event()
        self._address = inbox.address
        self._client = httpx.Client(
            base_url=f"{pillarbox.url}/api/v1",
            headers={"authorization": f"Bearer {key}"},
            timeout=30,
        )

    def run(self) -> None:
        query = {"q": "fox dog", "mailbox": self._address, "limit": "100"}
        while not self._ended.wait(_LOOK_EVERY_SECONDS):
            answer = self._client.get("/search", params=query)
            now = time.monotonic()
            for item in answer.raise_for_status().json()["items"]:
                self.found.setdefault(item["subject"], now)

    def stop(self) -> None:
        self._ended.set()
        self.join()


if __name__ == "__main__":
    for name, value in measure_delay().items():
        print(f"{name.replace('_', ' '):22} {value:10.1f}")
