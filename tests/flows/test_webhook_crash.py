"""Kill -9 of the worker while it delivers: every event still reaches its webhook."""

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from pillarbox import compose, installation, send, wait_until

pytestmark = pytest.mark.flow

_MAILS = 300
# A call that was cut off is made again when its lease of half a minute is over.
_LONGEST_SECONDS = 90


@dataclass
class Receiver:
    """Takes everything. `seen` counts how often each subject came, `ids` how the calls named it."""

    seen: Counter[str] = field(default_factory=Counter)
    ids: dict[str, set[str]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, webhook_id: str, body: bytes) -> None:
        subject = json.loads(body)["data"]["subject_id"]
        with self.lock:
            self.seen[subject] += 1
            self.ids.setdefault(subject, set()).add(webhook_id)


@contextlib.contextmanager
def receiving(receiver: Receiver) -> Iterator[int]:
    """The port where it is reached."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            receiver.note(self.headers["webhook-id"], self.rfile.read(length))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_every_event_reaches_its_webhook_when_the_worker_is_killed_while_it_delivers() -> None:
    receiver = Receiver()
    with receiving(receiver) as port, installation(EGRESS_ALLOW="127.0.0.0/8") as pillarbox:
        pillarbox.start()
        inbox = "hooked@kill.test"
        pillarbox.run("tenant", "create", "Kill", "--plan", "developer")
        pillarbox.run("domain", "add", "kill.test", "--tenant", "Kill")
        pillarbox.run("mailbox", "add", inbox, "--tenant", "Kill")
        key = pillarbox.run(
            *("key", "create", "--tenant", "Kill"),
            *("--scope", "webhooks:write", "--scope", "events:read"),
        )
        with httpx.Client(
            base_url=f"{pillarbox.url}/api/v1", headers={"authorization": f"Bearer {key}"}
        ) as api:
            made = api.post(
                "/webhooks",
                json={"url": f"http://127.0.0.1:{port}/in", "types": ["ingest.received"]},
            )
            assert made.status_code == 201, made.text
            wait_until(lambda: pillarbox.accepts(inbox), "the new address is accepted", 10)
            with pillarbox.connect() as smtp:
                smtp.ehlo("client.example.org")
                for number in range(_MAILS):
                    assert send(smtp, inbox, compose(inbox, number))
                    if number == _MAILS // 2:
                        wait_until(lambda: receiver.seen, "calls are made", 30)
                        pillarbox.kill_child("worker")
            wait_until(
                lambda: len(receiver.seen) == _MAILS, "every event arrived", _LONGEST_SECONDS
            )
            found = api.get("/events", params={"type": "ingest.received", "limit": 200}).json()
            more = api.get(
                "/events",
                params={"type": "ingest.received", "limit": 200, "after": found["next_cursor"]},
            ).json()
    told = {item["subject_id"] for page in (found, more) for item in page["items"]}
    assert told == set(receiver.seen)
    assert all(len(ids) == 1 for ids in receiver.ids.values())
