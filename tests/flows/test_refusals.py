"""From a refusal at SMTP to whoever asks for it, through a worker that is killed in between."""

import re

import httpx
import pytest
from pillarbox import Pillarbox, free_pair_of_ports, installation, wait_until

pytestmark = pytest.mark.flow

TENANT = "Harbour"


def refuse(pillarbox: Pillarbox, *names: str) -> None:
    with pillarbox.connect() as client:
        client.ehlo("mail.example.org")
        client.mail("bob@example.org")
        for name in names:
            assert client.rcpt(f"{name}@harbour.test")[0] == 550


def rejected(pillarbox: Pillarbox, key: str) -> list[dict[str, object]]:
    answer = httpx.get(
        f"{pillarbox.url}/api/v1/events?type=message.rejected",
        headers={"authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 200, answer.text
    items: list[dict[str, object]] = answer.json()["items"]
    return items


def test_refusals_become_events_once_and_both_processes_tell_their_figures() -> None:
    port = free_pair_of_ports()
    with installation(METRICS_LISTEN=f"127.0.0.1:{port}") as pillarbox:
        pillarbox.start()
        pillarbox.run("tenant", "create", TENANT, "--plan", "enterprise")
        pillarbox.run("domain", "add", "harbour.test", "--tenant", TENANT)
        pillarbox.run("mailbox", "add", "ada@harbour.test", "--tenant", TENANT)
        key = pillarbox.run("key", "create", "--tenant", TENANT, "--scope", "events:read")
        wait_until(lambda: pillarbox.accepts("ada@harbour.test"), "the mailbox is known")

        refuse(pillarbox, "a", "b")
        wait_until(lambda: len(rejected(pillarbox, key)) == 2, "the first events")
        pillarbox.kill_child("worker")
        refuse(pillarbox, "c", "d", "e")
        wait_until(lambda: len(rejected(pillarbox, key)) == 5, "the events after the crash")
        events = rejected(pillarbox, key)
        assert len({event["subject_id"] for event in events}) == 5
        assert {str(event["data"]) for event in events} == {str(events[0]["data"])}
        assert "harbour" not in str(events)

        sidecar = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert re.search(r'replies_total\{cause="unknown_recipient",code="550"\} 5', sidecar), (
            sidecar
        )
        wait_until(lambda: "backlog_items" in figures_of_worker(port), "the worker measures")
        assert "pillarbox_spool_backlog_items 0.0" in figures_of_worker(port)


def figures_of_worker(port: int) -> str:
    try:
        return httpx.get(f"http://127.0.0.1:{port + 1}/metrics").text
    except httpx.TransportError:
        return ""
