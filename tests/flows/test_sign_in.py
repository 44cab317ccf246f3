"""Signing in by mail, the whole way: web, queue, worker, outbox, link, inbox."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin

import httpx
import pytest
from pillarbox import Pillarbox, installation, wait_until

pytestmark = pytest.mark.flow

EMAIL = "ada@example.test"


@pytest.fixture(scope="module")
def pillarbox() -> Iterator[Pillarbox]:
    with installation() as pillarbox:
        pillarbox.start()
        pillarbox.run("user", "add", EMAIL, "--tenant", "Pillarbox", "--role", "owner")
        yield pillarbox


@pytest.fixture
def browser(pillarbox: Pillarbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=pillarbox.url, follow_redirects=True) as client:
        yield client


def mails(browser: httpx.Client) -> list[str]:
    return re.findall(r'href="(/outbox/[\w-]+)"', browser.get("/outbox").text)


def ask_for_link(browser: httpx.Client, email: str = EMAIL, next_path: str = "") -> str:
    """The address of the page of the mail that came of it."""
    before = mails(browser)
    asked = browser.post("/sign-in", data={"email": email, "next": next_path})
    assert asked.status_code == 200
    wait_until(lambda: len(mails(browser)) > len(before), "the mail lies in the outbox", 20)
    return mails(browser)[0]


def test_person_asks_reads_the_mail_and_is_where_they_wanted_to_be(
    pillarbox: Pillarbox, browser: httpx.Client
) -> None:
    sent_away = browser.get("/inbox?folder=archive")
    assert sent_away.url.path == "/sign-in"
    kept = re.search(r'name="next" value="([^"]+)"', sent_away.text)
    assert kept
    mail = browser.get(ask_for_link(browser, next_path=kept[1]))
    link = re.search(r'href="(/sign-in/[\w-]{22})"', mail.text)
    assert link
    for _ in range(10):
        assert "One press and you are in" in browser.get(link[1]).text
    inbox = browser.post(link[1])
    assert (inbox.status_code, inbox.url.raw_path) == (200, b"/inbox?folder=archive")
    assert "This browser" in browser.get("/settings/sessions").text
    with httpx.Client(base_url=pillarbox.url) as another:
        assert another.post(link[1]).status_code == 404
        assert another.get("/inbox").status_code == 303


def test_link_is_on_the_console_once_and_in_no_log(
    pillarbox: Pillarbox, browser: httpx.Client
) -> None:
    mail = browser.get(ask_for_link(browser))
    link = re.search(r'href="(/sign-in/[\w-]{22})"', mail.text)
    assert link
    url = urljoin(pillarbox.url, link[1])
    lines = [line for line in pillarbox.said.splitlines() if link[1] in line]
    assert lines == [f"Mail to {EMAIL}: Your sign-in link for Pillarbox: {url}"]
    logged = [line for line in pillarbox.said.splitlines() if "auth_mail.send" in line]
    assert logged
    assert not [line for line in logged if EMAIL in line]


def test_nothing_comes_for_an_address_that_nobody_has(
    pillarbox: Pillarbox, browser: httpx.Client
) -> None:
    before = len(mails(browser))
    asked = browser.post("/sign-in", data={"email": "stranger@example.test"})
    known = browser.post("/sign-in", data={"email": EMAIL})
    assert (asked.status_code, asked.content) == (known.status_code, known.content)
    wait_until(lambda: len(mails(browser)) > before, "the mail to the one who is known", 20)
    assert len(mails(browser)) == before + 1
    assert "stranger" not in pillarbox.said
