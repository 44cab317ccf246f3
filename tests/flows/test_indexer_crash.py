"""Kill -9 of the indexer in a loop: its index always opens or is built anew, and in the end it
agrees with the database message by message."""

import asyncio
import os
import random
import shutil
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import httpx
import pytest
from pillarbox import Inbox, Pillarbox, compose, installation, send, wait_until

from app.assembly import Services, assemble
from app.embedded.run_file import read_run_file
from app.search.port import IndexBroken
from app.settings import read_settings

pytestmark = pytest.mark.flow

TENANT = "Temporary inboxes"
KILLS = 20
T = TypeVar("T")


@pytest.fixture
def pillarbox() -> Iterator[Pillarbox]:
    with installation(TEMPORARY_TTL_SECONDS="86400") as pillarbox:
        pillarbox.start()
        yield pillarbox


def ask(pillarbox: Pillarbox, work: Callable[[Services], Awaitable[T]]) -> T:
    """Works on the installation's own services, from outside its processes."""

    async def run() -> T:
        services = assemble(read_settings(read_run_file(pillarbox.data).environment))
        async with services.running():
            return await work(services)

    return asyncio.run(run())


async def find_differences(services: Services) -> tuple[int, int, int]:
    """Messages stored, and those of them that the index lacks, and those that it has too many."""
    stored = indexed = lacking = 0
    for mailbox in await services.database.fetch("select id from mailbox"):
        rows = await services.database.fetch(
            "select id from message where mailbox_id = $1", mailbox["id"]
        )
        there = {row["id"] for row in rows}
        try:
            held = await services.search_index.message_ids(mailbox["id"])
        except IndexBroken:  # it is about to be rebuilt
            held = set()
        stored += len(there)
        lacking += len(there - held)
        indexed += len(held - there)
    return stored, lacking, indexed


def wait_until_it_agrees(pillarbox: Pillarbox, count: int) -> None:
    async def look_again(services: Services) -> None:
        async with asyncio.timeout(180):
            while True:
                if await find_differences(services) == (count, 0, 0):
                    return
                await asyncio.sleep(0.1)

    ask(pillarbox, look_again)


class Mail(threading.Thread):
    """Sends numbered mails one after the other, from a number on, until it is told to stop."""

    def __init__(self, pillarbox: Pillarbox, inbox: Inbox, first: int = 0) -> None:
        super().__init__(daemon=True)
        self.accepted = first
        self._ended = threading.Event()
        self._pillarbox, self._inbox = pillarbox, inbox

    def run(self) -> None:
        with self._pillarbox.connect() as client:
            client.ehlo("client.example.org")
            while not self._ended.wait(0.01):
                mail = compose(self._inbox.address, self.accepted)
                self.accepted += send(client, self._inbox.address, mail)

    def send_until(self, count: int) -> int:
        self.start()
        wait_until(lambda: self.accepted >= count, "mail arrives", 120)
        return self.stop()

    def stop(self) -> int:
        """The number to go on with."""
        self._ended.set()
        self.join()
        return self.accepted


def indexer_of(pillarbox: Pillarbox) -> int | None:
    (pid,) = pillarbox.children().get("indexer") or [None]
    return pid


def test_index_agrees_message_by_message_when_the_indexer_is_killed_in_a_loop(
    pillarbox: Pillarbox,
) -> None:
    inbox = pillarbox.create_inbox()
    mail = Mail(pillarbox, inbox)
    mail.start()
    chance = random.Random(11)
    for _ in range(KILLS):
        wait_until(lambda: indexer_of(pillarbox), "an indexer runs", 60)
        victim = indexer_of(pillarbox)
        more = mail.accepted + chance.randrange(1, 60)
        wait_until(lambda more=more: mail.accepted >= more, "mail goes on")
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda pid=victim: indexer_of(pillarbox) != pid, "it is gone")
    wait_until_it_agrees(pillarbox, mail.stop())
    key = pillarbox.run("key", "create", "--tenant", TENANT, "--scope", "messages:read")
    with httpx.Client(
        base_url=f"{pillarbox.url}/api/v1", headers={"authorization": f"Bearer {key}"}, timeout=30
    ) as api:
        for number in chance.sample(range(mail.accepted), 50):
            items = api.get("/search", params={"q": f'subject:"mail {number}"'}).json()["items"]
            assert [item["subject"] for item in items] == [f"mail {number}"]


def test_index_agrees_when_all_was_killed_and_its_folder_is_gone_older_or_spoilt(
    pillarbox: Pillarbox,
) -> None:
    inbox = pillarbox.create_inbox()
    folder = pillarbox.data / "search"
    count = 0
    for harm in ("deleted", "older", "cut"):
        count = Mail(pillarbox, inbox, count).send_until(count + 80)
        if harm == "older":
            wait_until_it_agrees(pillarbox, count)
            shutil.copytree(folder, pillarbox.folder / "older")
            count = Mail(pillarbox, inbox, count).send_until(count + 40)
            wait_until_it_agrees(pillarbox, count)
        wait_until(folder.is_dir, "something is indexed")
        pillarbox.kill()
        wait_until(lambda: not pillarbox.children(), "nothing outlives it", 30)
        if harm in ("deleted", "older"):
            shutil.rmtree(folder)
        if harm == "older":
            shutil.copytree(pillarbox.folder / "older", folder)
        if harm == "cut":
            for file in [file for file in folder.rglob("*") if file.is_file()]:
                os.truncate(file, file.stat().st_size // 2)
        pillarbox.start()
        wait_until_it_agrees(pillarbox, count)


def test_indexer_ends_with_the_worker_and_comes_back_with_it(pillarbox: Pillarbox) -> None:
    wait_until(lambda: indexer_of(pillarbox), "an indexer runs", 60)
    first = indexer_of(pillarbox)
    pillarbox.kill_child("worker")
    wait_until(lambda: indexer_of(pillarbox) not in (None, first), "another runs", 60)
    pillarbox.stop()
    wait_until(lambda: not pillarbox.children(), "nothing outlives it", 30)


def test_mailboxes_are_rebuilt_by_command_while_searches_go_on_and_the_indexer_is_killed(
    pillarbox: Pillarbox,
) -> None:
    inbox = pillarbox.create_inbox()
    count = Mail(pillarbox, inbox).send_until(300)
    wait_until_it_agrees(pillarbox, count)
    key = pillarbox.run("key", "create", "--tenant", TENANT, "--scope", "messages:read")
    found: list[bool] = []
    ended = threading.Event()

    def search() -> None:
        with httpx.Client(headers={"authorization": f"Bearer {key}"}, timeout=30) as client:
            while not ended.wait(0.02):
                query = {"q": 'subject:"mail 5"', "mailbox": inbox.address}
                answer = client.get(f"{pillarbox.url}/api/v1/search", params=query)
                found.append(len(answer.json()["items"]) == 1 and not answer.json()["notes"])

    searching = threading.Thread(target=search)
    searching.start()
    with ThreadPoolExecutor() as pool:
        said = pool.submit(pillarbox.run, "reindex", "--mailbox", inbox.address)
        wait_until(lambda: ask(pillarbox, lambda services: services.rebuilds.waiting()), "it runs")
        pillarbox.kill_child("indexer")
        assert f"{inbox.address}: " in said.result()
    assert said.result().endswith(f"Done: {count:,} messages.")
    assert f'"messages": {count}' in pillarbox.run("reindex", "--json")
    ended.set()
    searching.join()
    assert found
    assert all(found)
    wait_until_it_agrees(pillarbox, count)
