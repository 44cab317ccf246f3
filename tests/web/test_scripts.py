"""What the scripts add, in a browser, under the policy that pages are served with."""

import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from litestar import Litestar, get
from litestar.testing import TestClient
from page_samples import ASSETS, INBOX, NOW, FixedClock, make_pages, make_row
from playwright.async_api import Page, Request, Route, async_playwright, expect

from app.web.rendering import (
    create_environment,
    describe_age,
    describe_time_left,
)
from app.web.security import add_security_headers

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
        self.connections: list[Request] = []
        self.complaints: list[str] = []
        with TestClient(Litestar([show_nothing], before_send=[add_security_headers])) as client:
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
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
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


def event(position: int, row: object) -> str:
    arrival = _ENVIRONMENT.get_template("messages/_arrival.html")
    lines = arrival.render(row=row, base_url="/t/tok", inbox=INBOX).splitlines()
    data = "".join(f"data: {line}\n" for line in lines)
    return f"event: message\nid: {position}\n{data}\n"


async def test_row_arrives_once_when_the_stream_starts_over(site: Site, browser_page: Page) -> None:
    site.put("/t/tok", "temporary, empty")
    first, second = make_row(subject="First"), make_row(subject="Second")
    site.streams = [event(6, first), event(6, first) + event(7, second)]
    await browser_page.goto(f"{_ORIGIN}/t/tok")
    await expect(browser_page.locator(".row")).to_have_count(2)
    assert await browser_page.locator(".subject").all_inner_texts() == ["Second", "First"]
    await expect(browser_page.locator(".empty")).to_be_hidden()
    await expect(browser_page.locator("#count")).to_have_text("3 messages")
    assert "last-event-id" not in site.connections[0].headers
    assert site.connections[1].headers["last-event-id"] == "6"
    assert site.complaints == []


async def test_keys_walk_the_list_open_and_come_back(site: Site, browser_page: Page) -> None:
    rows = [make_row(subject=f"Message {n}") for n in range(3)]
    site.put("/t/tok", "temporary", rows=rows)
    site.put(f"/t/tok/m/{rows[1].id}", "message, bare")
    site.pages[f"/t/tok/m/{rows[1].id}"] = site.pages[f"/t/tok/m/{rows[1].id}"].replace(
        str(_CONTEXTS["message, bare"].context["message"].id), str(rows[1].id)
    )
    await browser_page.goto(f"{_ORIGIN}/t/tok")
    for key in "jjjko":
        await browser_page.keyboard.press(key)
    await browser_page.wait_for_url(f"**/m/{rows[1].id}")
    await browser_page.keyboard.press("o")
    await browser_page.wait_for_url(f"**/t/tok#m-{rows[1].id}")
    await browser_page.keyboard.press("j")
    focused = browser_page.locator(".row:focus-within .subject")
    await expect(focused).to_have_text("Message 2")
    assert site.complaints == []


async def test_keys_rest_while_somebody_has_turned_them_off(site: Site, browser_page: Page) -> None:
    site.put("/t/tok", "temporary", rows=[make_row()])
    await browser_page.goto(f"{_ORIGIN}/t/tok")
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
    await browser_page.goto(f"{_ORIGIN}/")
    root = browser_page.locator(":root")
    assert await root.get_attribute("data-theme") is None
    button = browser_page.get_by_role("button", name="Theme")
    for theme in ("light", "dark"):
        await button.click()
        await browser_page.reload()
        await expect(root).to_have_attribute("data-theme", theme)
    await expect(button).to_have_accessible_name("Theme: dark")
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
    await browser_page.goto(f"{_ORIGIN}/")
    said = await browser_page.locator("#times time").all_inner_texts()
    assert said == [
        words
        for moment in moments
        for words in (describe_age(moment, NOW), describe_time_left(moment, NOW))
    ]


async def test_address_is_copied_and_said_so(site: Site, browser_page: Page) -> None:
    site.put("/t/tok", "temporary, empty")
    await browser_page.goto(f"{_ORIGIN}/t/tok")
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
    await browser_page.goto(f"{_ORIGIN}/t/tok")
    await expect(browser_page.locator("#live")).to_have_text("This inbox is gone")
    await expect(browser_page.locator("#rows > *")).to_have_count(0)
