"""What pages weigh on the wire, as Chromium counts it, headers and all."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from browser import Account, create_account, send_raw, sign_in
from pillarbox import Pillarbox, compose, wait_until
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect

pytestmark = [pytest.mark.browser, pytest.mark.flow]
pytest_plugins = ["chromium"]

KILOBYTE = 1024


class Wire:
    """Counts what a page asks for and what comes back."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.paths: dict[str, str] = {}
        self.sizes: dict[str, float] = defaultdict(float)
        session = context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", self._ask)
        session.on("Network.loadingFinished", self._finish)
        session.on("Network.dataReceived", self._receive)
        session.send("Network.enable")

    def forget(self) -> None:
        self.paths.clear()
        self.sizes.clear()

    @property
    def total(self) -> float:
        return sum(self.sizes.values())

    def of(self, ending: str) -> float:
        return sum(self.sizes[key] for key, path in self.paths.items() if path.endswith(ending))

    def _ask(self, event: Any) -> None:
        url = urlsplit(event["request"]["url"])
        if url.scheme != "data":
            self.paths[event["requestId"]] = url.path

    def _finish(self, event: Any) -> None:
        self.sizes[event["requestId"]] = event["encodedDataLength"]

    def _receive(self, event: Any) -> None:
        """Only a stream is counted as it comes: it never finishes."""
        if self.paths.get(event["requestId"], "").endswith("/live"):
            self.sizes[event["requestId"]] += event["encodedDataLength"] or event["dataLength"]


@pytest.fixture(scope="module")
def account(pillarbox: Pillarbox) -> Account:
    account = create_account(pillarbox, "weight")
    mails = [compose(account.address, n) for n in range(60)]
    head = f"From: Ada <a@example.org>\r\nTo: {account.address}\r\nSubject: With HTML\r\n"
    html = "<p>The quick brown fox jumps over the lazy dog.</p>" * 20
    mails.append(f"{head}Content-Type: text/html\r\n\r\n{html}\r\n".encode())
    send_raw(pillarbox, account.address, mails)
    return account


@pytest.fixture(scope="module")
def signed_in(pillarbox: Pillarbox, chromium: Browser, account: Account) -> StorageState:
    """The cookies of somebody whose mail has come. What a browser keeps besides is not in them."""
    context = chromium.new_context()
    page = context.new_page()
    sign_in(page, account)

    def shows_all() -> bool:
        page.reload()
        return page.locator("#unread-count").inner_text() == "61"

    wait_until(shows_all, "all mail is listed")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def newcomer(chromium: Browser, signed_in: StorageState) -> Iterator[BrowserContext]:
    context = chromium.new_context(storage_state=signed_in)
    yield context
    context.close()


def test_pages_are_light(pillarbox: Pillarbox, newcomer: BrowserContext) -> None:
    page = newcomer.new_page()
    wire = Wire(newcomer, page)
    page.goto(f"{pillarbox.url}/inbox")
    expect(page.locator("#live")).to_have_text("Live")
    expect(page.locator(".row")).to_have_count(50)
    assert len(wire.paths) <= 6, wire.paths
    assert 0 < wire.total <= 50 * KILOBYTE, wire.sizes
    assert 0 < wire.of("app.js") + wire.of("htmx.js") <= 25 * KILOBYTE
    assert 0 < wire.of("style.css") <= 15 * KILOBYTE

    wire.forget()
    page.locator(".row > a", has_text="With HTML").click()
    expect(page.locator(".message h1")).to_be_visible()
    expect(page.frame_locator("iframe").get_by_text("quick brown fox").first).to_be_visible()
    opened = [path for path in wire.paths.values() if not path.endswith("/live")]
    assert len(opened) == 1, opened
    assert wire.total - wire.of("/live") <= 6 * KILOBYTE, wire.sizes

    wire.forget()
    page.go_back()
    expect(page.locator(".row")).to_have_count(50)
    assert [path for path in wire.paths.values() if not path.endswith("/live")] == []


def test_row_that_arrives_is_light(
    pillarbox: Pillarbox, account: Account, newcomer: BrowserContext
) -> None:
    page = newcomer.new_page()
    wire = Wire(newcomer, page)
    page.goto(f"{pillarbox.url}/inbox")
    expect(page.locator("#live")).to_have_text("Live")
    before = wire.of("/live")
    send_raw(pillarbox, account.address, [compose(account.address, "the newest")])
    expect(page.locator(".row", has_text="the newest")).to_be_visible()
    assert 0 < wire.of("/live") - before <= 2 * KILOBYTE
