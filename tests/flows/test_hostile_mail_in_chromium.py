"""Hostile mail does nothing: opened in Chromium it runs no script, asks no other host for anything,
and stays inside of its frame.

Whatever reaches the frame is looked at as well, so that a hole in the sanitiser shows although the
frame's sandbox and policy would still hold.
"""

import re
from base64 import encodebytes
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from browser import create_account, send_raw, sign_in
from hostile_html import list_hostile_html
from hostile_names import (
    CONTENTS,
    FILE_NAMES,
    TEXTS,
    WORD,
    encode_parameter,
    encode_text,
    encode_words,
)
from pillarbox import Pillarbox, wait_until
from playwright.sync_api import BrowserContext, expect
from watched_chromium import (
    HOSTILE_DOMAIN,
    Canary,
    Watch,
    listening_canary,
    read_hosts,
    watched_chromium,
)

pytest_plugins = ["chromium"]
pytestmark = [pytest.mark.browser, pytest.mark.flow]

# Mail is opened in so many tabs in turn: each has time to do its worst while the next ones load.
TABS = 4
LOOK_AT_PAGE = (Path(__file__).parent / "look_at_page.js").read_text()
PROVOKE_FRAME = (Path(__file__).parent / "provoke_frame.js").read_text()
ASSET = r"/static/[\w./-]+\?v=\w+"
OWN_ADDRESS = re.compile(
    rf"(?:/t/[\w-]{{22}}|/inbox)(?:[/?].*)?|{ASSET}|/image/[\w.-]+|/search\?.*"
)


@pytest.fixture
def canary() -> Iterator[Canary]:
    with listening_canary() as canary:
        yield canary


def fill(text: str, canary: Canary, name: str) -> str:
    """What tells on itself put in the place of the words that stand for it."""
    url = f"{canary.url}/{name}"
    run = f"alert(1),top.pwned=1,fetch(`{url}`)"
    return text.replace("RUN", run).replace("CANARY", url).replace("HOST", canary.host)


def compose_hostile(
    name: str,
    content_type: str,
    content: bytes,
    *,
    subject: str = "",
    sender: str = "",
    attachments: Sequence[bytes] = (),
) -> bytes:
    part = (
        f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
        + encodebytes(content).replace(b"\n", b"\r\n")
    )
    if attachments:
        part = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + b"\r\n--b\r\n".join(
            [part, *attachments]
        )
        part += b"\r\n--b--\r\n"
    head = (
        f"From: {encode_words(sender)} <{name}@example.org>\r\nTo: x@example.org\r\n"
        f"Subject: {encode_words(subject or name)}\r\nMessage-ID: <{name}@example.org>\r\n"
        "MIME-Version: 1.0\r\n"
    )
    return head.encode() + part


def compose_html(canary: Canary) -> Mapping[str, bytes]:
    mails = {
        name: compose_hostile(
            name,
            "text/html; charset=utf-8",
            fill(html, canary, name).encode(),
        )
        for name, html in list_hostile_html().items()
    }
    for number, (said, text, encoding) in enumerate(CONTENTS.values(), 1):
        name = f"content-{number}"
        content = encode_text(fill(text, canary, name), encoding)
        mails[name] = compose_hostile(name, fill(said, canary, name), content)
    return mails


def compose_names(canary: Canary) -> Mapping[str, bytes]:
    text = f"The {WORD} is lit.".encode()
    mails = {}
    for number, hostile in enumerate(TEXTS, 1):
        name = f"name-{number}"
        filled = fill(hostile, canary, name)
        mails[name] = compose_hostile(name, "text/plain", text, subject=filled, sender=filled)
    for number, hostile in enumerate(FILE_NAMES, 1):
        name = f"file-{number}"
        filled = fill(hostile, canary, name)
        attachment = (
            f"Content-Type: text/html{encode_parameter('name', filled)}\r\n"
            f"Content-Disposition: attachment{encode_parameter('filename', filled)}\r\n\r\n"
            + fill("<script>RUN</script>", canary, name)
        ).encode()
        mails[name] = compose_hostile(name, "text/plain", text, attachments=[attachment])
    return mails


def deliver(
    pillarbox: Pillarbox, address: str, mails: Mapping[str, bytes], tenant: str
) -> Mapping[str, str]:
    """Sends them; the ids of the messages that they became, by the local part of their senders."""
    send_raw(pillarbox, address, list(mails.values()))
    key = pillarbox.run("key", "create", "--tenant", tenant, "--scope", "messages:read")
    ids: dict[str, str] = {}

    def arrived() -> bool:
        ids.clear()
        for item in list_items(pillarbox, key, "/messages", mailbox=address):
            ids[re.findall(r"([\w-]+)@example\.org", item["from"])[-1]] = item["id"]
        return ids.keys() == mails.keys()

    wait_until(arrived, "every mail has arrived")
    return ids


def list_items(pillarbox: Pillarbox, key: str, path: str, **query: str) -> Iterator[Any]:
    """Whatever the API has at a path, page by page."""
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=f"{pillarbox.url}/api/v1", headers=headers, timeout=30) as api:
        while True:
            page = api.get(path, params={**query, "limit": "200"}).json()
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            query["cursor"] = page["next_cursor"]


class Tabs:
    """Opens addresses one after the other, and says what was wrong with each."""

    def __init__(self, context: BrowserContext, own_host: str) -> None:
        self.wrong: dict[str, list[str]] = {}
        self._watches = [Watch(context.new_page(), own_host) for _ in range(TABS)]
        self._opened: list[str] = [""] * TABS
        self._next = 0

    def open(self, what: str, url: str) -> None:
        number = self._next % TABS
        self._next += 1
        self._finish(number)
        watch = self._watches[number]
        watch.clear()
        watch.page.goto(url, wait_until="commit")
        self._opened[number] = what

    def close(self) -> None:
        for number, watch in enumerate(self._watches):
            self._finish(number)
            watch.page.close()

    def _finish(self, number: int) -> None:
        what, watch = self._opened[number], self._watches[number]
        if not what:
            return
        watch.page.wait_for_load_state("load")
        if found := examine(watch):
            self.wrong[what] = found


def examine(watch: Watch) -> list[str]:
    """Everything that is not as it should be on an open page."""
    page = watch.page
    found: list[str] = []
    address = page.url
    is_bare = address.endswith("?view=print")
    for frame in page.frames if is_bare else page.frames[1:]:
        found += frame.evaluate(PROVOKE_FRAME)
    if not is_bare:
        found += page.evaluate(LOOK_AT_PAGE)
    if len(page.frames) > 2:
        found.append(f"{len(page.frames) - 1} frames")
    if page.url != address:
        found.append(f"the page went to {page.url}")
    found += [
        f"asked us for {path}" for path in watch.own_requests if not OWN_ADDRESS.fullmatch(path)
    ]
    return found + watch.happened


def open_all(
    pillarbox: Pillarbox,
    canary: Canary,
    log: Path,
    work: Callable[[BrowserContext, "Tabs"], None],
) -> None:
    """Lets `work` open pages; fails when anything happened that a mail may not do."""
    with watched_chromium(log) as context:
        tabs = Tabs(context, pillarbox.web)
        work(context, tabs)
        tabs.close()
    assert not tabs.wrong, describe(tabs.wrong)
    assert canary.connections == 0, canary.asked
    assert {host for host in read_hosts(log) if is_hostile(host, canary)} == set()


def is_hostile(host: str, canary: Canary) -> bool:
    return host == canary.host or host.partition(":")[0].endswith(HOSTILE_DOMAIN)


def describe(wrong: Mapping[str, Sequence[str]]) -> str:
    lines = (f"{what}: {'; '.join(found)[:500]}" for what, found in wrong.items())
    return f"{len(wrong)} mails did something\n" + "\n".join(lines)


def test_watch_sees_what_mail_must_not_do(canary: Canary, tmp_path: Path) -> None:
    html = (
        "<!doctype html><title>x</title><img src=//looked-up.hostile.test>"
        "<script>document.cookie=`a=b`;localStorage.a=1;console.log(`heard`);RUN</script>"
        "<form action=//elsewhere.hostile.test></form><a href=javascript:RUN onclick=RUN>x</a>"
        "<h1>x</h1><b style='position:fixed;inset:0'>x</b>"
        "<hr width=9999><iframe src=CANARY></iframe>"
    )
    canary.content["/"] = ("text/html", fill(html, canary, "control").encode())
    with watched_chromium(tmp_path / "log") as context:
        watch = Watch(context.new_page(), own_host="127.0.0.1:1")
        watch.page.goto(canary.url)
        in_frame = watch.page.evaluate(PROVOKE_FRAME)
        seen = " ".join(examine(watch))
    for what in (
        "a script ran", "cookie a=b", "something was stored", "title x", "<a onclick>",
        "link javascript:", "form //elsewhere", "pixels too wide", "<h1> lies under <b>",
        "console: heard", "dialog: 1", f"request: {canary.url}/control", "frame went to",
    ):  # fmt: skip
        assert what in seen, seen
    assert {"<form>", "<a onclick>", "<b is fixed"} <= set(in_frame), in_frame
    assert "/control" in canary.asked
    assert {canary.host, "looked-up.hostile.test"} <= read_hosts(tmp_path / "log")


def test_html_of_a_mail_does_nothing_when_it_is_opened(
    pillarbox: Pillarbox, canary: Canary, tmp_path: Path
) -> None:
    mails = compose_html(canary)
    assert len(mails) > 300
    inbox = pillarbox.create_inbox()
    ids = deliver(pillarbox, inbox.address, mails, "Temporary inboxes")

    def work(_: BrowserContext, tabs: Tabs) -> None:
        for name in mails:
            tabs.open(name, f"{inbox.url}/m/{ids[name]}")
        for name in list(mails)[::20]:
            for view in ("?view=text", "?view=print"):
                tabs.open(name + view, f"{inbox.url}/m/{ids[name]}{view}")

    open_all(pillarbox, canary, tmp_path / "log", work)


def test_names_in_a_mail_do_nothing_wherever_they_are_shown(
    pillarbox: Pillarbox, canary: Canary, tmp_path: Path
) -> None:
    mails = compose_names(canary)
    inbox = pillarbox.create_inbox()
    ids = deliver(pillarbox, inbox.address, mails, "Temporary inboxes")

    def work(_: BrowserContext, tabs: Tabs) -> None:
        for name in mails:
            tabs.open(name, f"{inbox.url}/m/{ids[name]}")
            tabs.open(f"headers of {name}", f"{inbox.url}/m/{ids[name]}?view=headers")
        for name in list(mails)[::5]:
            tabs.open(f"print of {name}", f"{inbox.url}/m/{ids[name]}?view=print")
        tabs.open("the list", inbox.url)

    open_all(pillarbox, canary, tmp_path / "log", work)


def test_hostile_mail_does_nothing_to_somebody_signed_in(
    pillarbox: Pillarbox, canary: Canary, tmp_path: Path
) -> None:
    """In the list, in what a search finds, and opened from the list without leaving its page."""
    account = create_account(pillarbox, "hostile")
    html = dict(list(compose_html(canary).items())[::15])
    mails = {**html, **compose_names(canary)}
    ids = deliver(pillarbox, account.address, mails, account.tenant)
    key = pillarbox.run("key", "create", "--tenant", account.tenant, "--scope", "messages:read")
    found = len(mails) - len(html)
    wait_until(
        lambda: len(list(list_items(pillarbox, key, "/search", q=WORD))) == found, "it is indexed"
    )

    def work(context: BrowserContext, tabs: Tabs) -> None:
        page = context.new_page()
        sign_in(page, account)
        for name in html:
            tabs.open(f"{name} signed in", f"{pillarbox.url}/inbox/m/{ids[name]}")
        for path in ("/inbox", "/inbox?folder=all", f"/search?q={WORD}", "/search?q=script"):
            tabs.open(path, pillarbox.url + path)
        watch = Watch(page, pillarbox.web)
        for name in list(mails)[-1:-40:-4]:
            watch.page.locator(f"#m-{ids[name]} a").click()
            watch.page.wait_for_url(f"**/m/{ids[name]}")
            expect(watch.page.locator("article.card")).to_be_visible()
            assert examine(watch) == [], name
            watch.page.go_back()
            expect(watch.page.locator("#rows")).to_be_visible()

    open_all(pillarbox, canary, tmp_path / "log", work)
