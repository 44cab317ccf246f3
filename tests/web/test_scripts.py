"""What the scripts add, in a browser, under the policy that pages are served with."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest
from chromium_program import ARGUMENTS, PROGRAM
from conditions import SCRIPTS_RAN
from litestar import Litestar, get
from litestar.testing import TestClient
from msgspec import structs
from page_samples import ASSETS, INBOX, NOW, FixedClock, make_pages, make_row
from playwright.async_api import Page, Request, Route, async_playwright, expect

from app.inbox.listing import MessageRow
from app.inbox.sidebar import Counts
from app.inbox.view import View
from app.web.pages.actions import Notice
from app.web.rendering import (
    create_environment,
    describe_age,
    describe_time_left,
)
from app.web.security import security_headers

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)

_ORIGIN = "http://pillarbox.test"
_ENVIRONMENT = create_environment(FixedClock(), ASSETS)
_CONTEXTS = {page.name: page for page in make_pages()}


@get("/")
async def show_nothing() -> str:
    return ""


class Site:
    """Answers the browser from templates and files. `streams` are sent one a connection."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.streams: list[str] = []
        self.waiting: asyncio.Queue[Route] = asyncio.Queue()
        self.connections: list[Request] = []
        self.complaints: list[str] = []
        self.forms: list[dict[str, list[str]]] = []
        with TestClient(
            Litestar([show_nothing], before_send=[security_headers(secure=False)])
        ) as client:
            self.policy = client.get("/").headers["content-security-policy"]

    async def answer(self, route: Route) -> None:
        path = urlsplit(route.request.url).path
        headers = {"content-security-policy": self.policy}
        if path.startswith("/static/"):
            asset = ASSETS.files[path.removeprefix("/static/")]
            await route.fulfill(body=asset.content, content_type=asset.media_type)
        elif path.endswith("/live"):
            self.connections.append(route.request)
            if self.streams:
                body = self.streams.pop(0)
                await route.fulfill(body=body, content_type="text/event-stream")
            else:
                await self.waiting.put(route)
        else:
            if route.request.method == "POST":
                self.forms.append(parse_qs(route.request.post_data or ""))
            await route.fulfill(body=self.pages[path], content_type="text/html", headers=headers)

    def put(self, path: str, name: str, **changes: object) -> None:
        page = _CONTEXTS[name]
        template = _ENVIRONMENT.get_template(page.template)
        self.pages[path] = template.render({**page.context, **changes})


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
async def browser_page(site: Site) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=PROGRAM, args=ARGUMENTS)
        page = await browser.new_page()
        page.on("pageerror", lambda error: site.complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                site.complaints.append(message.text) if message.type == "error" else None
            ),
        )
        await page.route("**/*", site.answer)
        yield page
        await browser.close()


async def open_page(page: Page, url: str) -> None:
    await page.goto(url)
    await page.locator(SCRIPTS_RAN).wait_for(state="attached")


def event(position: int, row: object) -> str:
    arrival = _ENVIRONMENT.get_template("messages/_arrival.html")
    lines = arrival.render(row=row, base_url="/t/tok", inbox=INBOX).splitlines()
    data = "".join(f"data: {line}\n" for line in lines)
    return f"event: message\nid: {position}\n{data}\n"


def message_fragment(message_id: UUID) -> str:
    """What htmx is sent of a message, as far as the scripts look at it."""
    return (
        f'<nav class="steps"><a href="/t/tok#m-{message_id}" data-key="o">Back</a></nav>'
        "<article><h1>Opened</h1></article>"
    )


def changes(
    *, rows: Sequence[MessageRow] = (), gone: Sequence[UUID] = (), done: str = "", unread: int = 0
) -> str:
    """What an action answers with."""
    return _ENVIRONMENT.get_template("messages/_changes.html").render(
        rows=rows,
        gone=gone,
        notice=Notice(f"1 message {done}.", UUID(int=5)),
        counts=Counts(unread),
        base_url="/inbox",
        csrf_token="proof",
        may_write=True,
        view=View(folder="inbox"),
    )


async def test_row_arrives_once_when_the_stream_starts_over(site: Site, browser_page: Page) -> None:
    site.put("/t/tok", "temporary, empty")
    first = make_row(subject="First")
    second = make_row(subject="Second", received_at=first.received_at + timedelta(seconds=1))
    site.streams = [event(6, first), event(6, first) + event(7, second)]
    await open_page(browser_page, f"{_ORIGIN}/t/tok")
    await expect(browser_page.locator(".row")).to_have_count(2)
    assert await browser_page.locator(".subject").all_inner_texts() == ["Second", "First"]
    await expect(browser_page.locator(f"#m-{second.id}.arrived")).to_be_visible()
    await expect(browser_page.locator(".empty")).to_be_hidden()
    await expect(browser_page.locator("#count")).to_have_text("3 messages")
    assert "last-event-id" not in site.connections[0].headers
    assert site.connections[1].headers["last-event-id"] == "6"
    assert site.complaints == []


async def test_keys_walk_the_list_open_and_come_back(site: Site, browser_page: Page) -> None:
    rows = [make_row(subject=f"Message {n}") for n in range(3)]
    site.put("/t/tok", "temporary", rows=rows)
    site.pages[f"/t/tok/m/{rows[1].id}"] = message_fragment(rows[1].id)
    await open_page(browser_page, f"{_ORIGIN}/t/tok")
    for key in "jjjko":
        await browser_page.keyboard.press(key)
    await browser_page.wait_for_url(f"**/m/{rows[1].id}")
    await expect(browser_page.locator("main .row")).to_have_count(0)
    for back in ("o", "Escape"):
        await browser_page.keyboard.press(back)
        await browser_page.wait_for_url("**/t/tok")
        await expect(browser_page.locator(".row:focus-within .subject")).to_have_text("Message 1")
        await browser_page.keyboard.press("o")
        await browser_page.wait_for_url(f"**/m/{rows[1].id}")
    await browser_page.keyboard.press("o")
    await expect(browser_page.locator(".row:focus-within .subject")).to_have_text("Message 1")
    await browser_page.keyboard.press("j")
    await expect(browser_page.locator(".row:focus-within .subject")).to_have_text("Message 2")
    assert site.complaints == []


async def test_message_opens_in_place_in_one_request_and_back_shows_the_list_as_it_was(
    site: Site, browser_page: Page
) -> None:
    rows = [make_row(subject=f"Message {n}", is_read=False) for n in range(50)]
    site.put("/inbox", "inbox", rows=rows)
    site.pages[f"/inbox/m/{rows[40].id}"] = message_fragment(rows[40].id)
    site.streams = [""]
    await open_page(browser_page, f"{_ORIGIN}/inbox")
    await expect(browser_page).to_have_title("(12) Inbox · Pillarbox")
    link = browser_page.locator(".row > a").nth(40)
    await link.scroll_into_view_if_needed()
    height = await browser_page.evaluate("scrollY")
    assert height > 500
    asked: list[str] = []
    browser_page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    await link.click()
    await expect(browser_page.get_by_role("heading", name="Opened")).to_be_visible()
    await expect(browser_page).to_have_title("(12) Opened · Pillarbox")
    assert [path for path in asked if not path.endswith("/live")] == [f"/inbox/m/{rows[40].id}"]
    assert await browser_page.evaluate("[scrollY, document.activeElement.id]") == [0, "main"]
    await browser_page.go_back()
    await expect(link).to_be_focused()
    assert await browser_page.evaluate("scrollY") == height
    await expect(browser_page).to_have_title("(12) Inbox · Pillarbox")
    await expect(browser_page.locator(".row.unread")).to_have_count(49)
    await browser_page.go_forward()
    await expect(browser_page.get_by_role("heading", name="Opened")).to_be_visible()
    assert site.complaints == []


async def test_list_behind_a_message_stays_alive(site: Site, browser_page: Page) -> None:
    row, arrival = make_row(subject="First"), make_row(subject="Second")
    site.put("/t/tok", "temporary", rows=[row])
    site.pages[f"/t/tok/m/{row.id}"] = message_fragment(row.id)
    site.streams = [event(6, row)]
    await open_page(browser_page, f"{_ORIGIN}/t/tok")
    await browser_page.locator(".row > a").click()
    await expect(browser_page.get_by_role("heading", name="Opened")).to_be_visible()
    connection = await site.waiting.get()
    await connection.fulfill(body=event(7, arrival), content_type="text/event-stream")
    await expect(browser_page.locator(f"#m-{arrival.id}")).to_have_count(1)
    await browser_page.keyboard.press("Escape")
    await expect(browser_page.locator("main .row")).to_have_count(2)


async def test_keys_act_on_the_row_that_has_the_focus(site: Site, browser_page: Page) -> None:
    moments = [NOW - timedelta(minutes=n) for n in range(3)]
    rows = [make_row(subject=f"Message {n}", received_at=moments[n]) for n in range(3)]
    site.put("/inbox", "inbox", rows=rows)
    site.streams = [""]
    await open_page(browser_page, f"{_ORIGIN}/inbox")
    starred = structs.replace(rows[0], is_starred=True)
    read = structs.replace(rows[0], is_read=True)
    await browser_page.keyboard.press("j")
    for key, action, unread, answer in (
        ("s", "star", "21", changes(rows=[starred], unread=21)),
        ("u", "read", "22", changes(rows=[read], unread=22)),
        ("e", "archive", "23", changes(gone=[rows[0].id], done="archived", unread=23)),
    ):
        site.pages["/inbox/actions"] = answer
        await browser_page.keyboard.press(key)
        await expect(browser_page.locator("#unread-count")).to_have_text(unread)
        assert site.forms[-1]["action"] == [action]
        assert site.forms[-1]["ids"] == [str(rows[0].id)]
        assert site.forms[-1]["csrf_token"] == ["proof"]
    await expect(browser_page.locator(".row")).to_have_count(2)
    await expect(browser_page.locator(f"#m-{rows[1].id} a")).to_be_focused()
    await expect(browser_page.locator("#toasts")).to_contain_text("1 message archived.")
    site.pages[f"/inbox/undo/{UUID(int=5)}"] = changes(rows=[rows[0]], done="put back")
    await browser_page.keyboard.press("z")
    await expect(browser_page.locator("#toasts")).to_contain_text("1 message put back.")
    subjects = await browser_page.locator(".row .subject").all_inner_texts()
    assert subjects == ["Message 0", "Message 1", "Message 2"]
    assert site.complaints == []


async def test_rows_are_selected_by_box_by_range_and_all_together(
    site: Site, browser_page: Page
) -> None:
    rows = [make_row(subject=f"Message {n}") for n in range(6)]
    site.put("/inbox", "inbox", rows=rows)
    site.streams = [""]
    await open_page(browser_page, f"{_ORIGIN}/inbox")
    boxes, said = browser_page.locator("[name=ids]"), browser_page.locator("#selected")
    archive = browser_page.get_by_role("button", name="Archive")
    await expect(archive).to_be_hidden()
    await boxes.nth(1).click()
    await boxes.nth(4).click(modifiers=["Shift"])
    await expect(said).to_have_text("4 selected")
    await browser_page.get_by_label("Select all").click()
    await expect(said).to_have_text("6 selected")
    site.pages["/inbox/actions"] = changes(gone=[row.id for row in rows], done="archived")
    await archive.click()
    await expect(browser_page.locator(".row")).to_have_count(0)
    await expect(archive).to_be_hidden()
    await expect(browser_page.locator(".empty")).to_be_visible()
    assert sorted(site.forms[-1]["ids"]) == sorted(str(row.id) for row in rows)
    assert site.complaints == []


async def test_action_that_fails_says_so_and_changes_nothing(
    site: Site, browser_page: Page
) -> None:
    site.put("/inbox", "inbox", rows=[make_row()])
    site.streams = [""]
    await browser_page.route("**/inbox/actions", lambda route: route.fulfill(status=503, body="x"))
    await open_page(browser_page, f"{_ORIGIN}/inbox")
    await browser_page.locator(".star").click()
    await expect(browser_page.locator("#toasts")).to_contain_text("nothing was changed")
    await expect(browser_page.locator(".row")).to_have_count(1)


async def test_tab_shows_how_much_is_unread(site: Site, browser_page: Page) -> None:
    row = make_row()
    site.put("/inbox", "inbox", rows=[])
    arrival = _ENVIRONMENT.get_template("messages/_arrival.html")
    html = arrival.render(row=row, base_url="/inbox", counts=Counts(1000), view=View())
    site.streams = [f"id: 6\ndata: {html.replace(chr(10), '')}\n\n"]
    await open_page(browser_page, f"{_ORIGIN}/inbox")
    await expect(browser_page).to_have_title("(999+) Inbox · Pillarbox")
    icon = await browser_page.locator("link[rel=icon]").get_attribute("href")
    assert icon
    assert icon.startswith("data:image/svg+xml,")
    assert "99%2B" in icon


async def test_suggestions_are_walked_and_chosen_by_keys(site: Site, browser_page: Page) -> None:
    site.put("/inbox", "inbox", rows=[])
    site.streams = [""]
    site.pages["/search/suggest"] = "".join(
        f'<li role="option" id="suggestion-{n}" aria-selected="false" data-query="{query}">x</li>'
        for n, query in enumerate(("is:unread", "is:read"))
    )
    site.put("/search", "start")
    await open_page(browser_page, f"{_ORIGIN}/inbox")
    field = browser_page.get_by_role("combobox")
    await browser_page.keyboard.press("/")
    await expect(field).to_be_focused()
    await browser_page.keyboard.type("is")
    await expect(browser_page.get_by_role("option")).to_have_count(2)
    await expect(field).to_have_attribute("aria-expanded", "true")
    for key in ("ArrowDown", "ArrowDown"):
        await browser_page.keyboard.press(key)
    await expect(field).to_have_attribute("aria-activedescendant", "suggestion-1")
    await browser_page.keyboard.press("Enter")
    await browser_page.wait_for_url("**/search?q=is%3Aread")


async def test_keys_rest_while_somebody_has_turned_them_off(site: Site, browser_page: Page) -> None:
    site.put("/t/tok", "temporary", rows=[make_row()])
    await open_page(browser_page, f"{_ORIGIN}/t/tok")
    dialog = browser_page.locator("#keys")
    await browser_page.keyboard.press("?")
    await expect(dialog).to_be_visible()
    await browser_page.get_by_label("Use these keys").uncheck()
    await browser_page.keyboard.press("Escape")
    await browser_page.keyboard.press("?")
    await browser_page.keyboard.press("j")
    await expect(dialog).to_be_hidden()
    await expect(browser_page.locator(".row:focus-within")).to_have_count(0)


async def test_theme_is_kept_when_it_was_chosen(site: Site, browser_page: Page) -> None:
    site.put("/", "start")
    await open_page(browser_page, f"{_ORIGIN}/")
    root = browser_page.locator(":root")
    assert await root.get_attribute("data-theme") is None
    button = browser_page.get_by_role("button", name="Theme")
    for theme in ("light", "dark"):
        await button.click()
        await expect(root).to_have_attribute("data-theme", theme)
        assert await browser_page.evaluate("document.cookie") == f"theme={theme}"
        site.put("/", "start", request=SimpleNamespace(cookies={"theme": theme}, scope={}))
        await browser_page.reload()
        await browser_page.locator(SCRIPTS_RAN).wait_for(state="attached")
        await expect(button).to_have_accessible_name(f"Theme: {theme}")
    await button.click()
    assert await browser_page.evaluate("document.cookie") == ""
    assert site.complaints == []


async def test_script_says_times_in_the_words_of_the_server(site: Site, browser_page: Page) -> None:
    steps = [0, 59, 60, 3599, 3600, 7199, 7200, 86_399, 86_400, 172_800, 604_799, 604_800, 4e7]
    moments = [NOW + timedelta(seconds=sign * step) for step in steps for sign in (-1, 1)]
    times = "".join(
        f'<time {kind} datetime="{moment.isoformat()}"></time>'
        for moment in moments
        for kind in ("data-age", "data-left")
    )
    site.put("/", "start")
    site.pages["/"] = site.pages["/"].replace("</main>", f"<p id='times'>{times}</p></main>")
    await browser_page.clock.set_fixed_time(NOW)
    await open_page(browser_page, f"{_ORIGIN}/")
    await browser_page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    said = await browser_page.locator("#times time").all_inner_texts()
    assert said == [
        words
        for moment in moments
        for words in (describe_age(moment, NOW), describe_time_left(moment, NOW))
    ]


async def test_way_of_a_mail_keeps_the_times_that_it_says_to_the_millisecond(
    site: Site, browser_page: Page
) -> None:
    site.put("/trace/1", "way of delivered mail")
    await open_page(browser_page, f"{_ORIGIN}/trace/1")
    said = await browser_page.locator(".trace time").all_inner_texts()
    assert said
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}", moment) for moment in said), said


async def test_address_is_copied_and_said_so(site: Site, browser_page: Page) -> None:
    site.put("/t/tok", "temporary, empty")
    await open_page(browser_page, f"{_ORIGIN}/t/tok")
    await browser_page.evaluate(
        "document.addEventListener('copy', () => window.copied = String(getSelection()"
        " || document.activeElement.value))"
    )
    await browser_page.get_by_role("button", name="Copy address").click()
    await expect(browser_page.locator("#toasts")).to_have_text("Copied.")
    assert await browser_page.evaluate("window.copied") == INBOX.address


async def test_list_that_is_gone_says_so(site: Site, browser_page: Page) -> None:
    site.put("/t/tok", "temporary, empty")
    site.pages["/t/tok/live"] = ""
    await browser_page.route(
        "**/live?*", lambda route: route.fulfill(status=404, body=f"<p>{uuid4()}</p>")
    )
    await open_page(browser_page, f"{_ORIGIN}/t/tok")
    await expect(browser_page.locator("#live")).to_have_text("This inbox is gone")
    await expect(browser_page.locator("#rows > *")).to_have_count(0)
