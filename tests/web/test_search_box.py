"""The search box as a combobox, by keyboard and by pointer, in a browser under our policy."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest
from chromium_program import ARGUMENTS, PROGRAM
from conditions import SCRIPTS_RAN
from page_samples import ASSETS, FixedClock, make_pages
from playwright.async_api import Page, Route, async_playwright, expect

from app.search.suggestions import Suggestion
from app.web.rendering import create_environment

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)

_URL = "http://pillarbox.test/search"
_ENVIRONMENT = create_environment(FixedClock(), ASSETS)
_PAGE = next(page for page in make_pages() if page.name == "search, empty")
_SUGGESTIONS = (
    Suggestion("operator", "from:", "who sent it", "from:", is_whole=False),
    Suggestion("person", "Ada", "ada@x.test", "from:ada@x.test"),
    Suggestion("label", "<b>Bills</b>", "label", 'label:"<b>"'),
)


class Site:
    """Answers from templates; remembers what was asked."""

    def __init__(self) -> None:
        self.suggested_for: list[str] = []
        self.searched_for: list[str] = []

    async def answer(self, route: Route) -> None:
        url = urlsplit(route.request.url)
        asked = parse_qs(url.query).get("q", [""])[0]
        if url.path.startswith("/static/"):
            asset = ASSETS.files[url.path.removeprefix("/static/")]
            await route.fulfill(body=asset.content, content_type=asset.media_type)
        elif url.path == "/search/suggest":
            self.suggested_for.append(asked)
            template = _ENVIRONMENT.get_template("search/_suggestions.html")
            suggestions = () if asked == "nothing" else _SUGGESTIONS
            await route.fulfill(
                body=template.render(suggestions=suggestions), content_type="text/html"
            )
        else:
            self.searched_for.append(asked)
            template = _ENVIRONMENT.get_template(_PAGE.template)
            body = template.render({**_PAGE.context, "q": asked})
            await route.fulfill(body=body, content_type="text/html")


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
async def page(site: Site) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=PROGRAM, args=ARGUMENTS)
        page = await browser.new_page()
        await page.route("**/*", site.answer)
        await page.goto(_URL)
        await page.locator(SCRIPTS_RAN).wait_for(state="attached")
        yield page
        await browser.close()


async def test_arrows_walk_the_suggestions_and_enter_takes_one(site: Site, page: Page) -> None:
    box, options = page.get_by_role("combobox"), page.get_by_role("option")
    await page.keyboard.press("/")
    await expect(box).to_be_focused()
    await page.keyboard.type("ad")
    await expect(options).to_have_count(3)
    await expect(box).to_have_attribute("aria-expanded", "true")
    assert site.suggested_for[-1] == "ad"
    for key, chosen in (("ArrowDown", 0), ("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1)):
        await page.keyboard.press(key)
        await expect(options.nth(chosen)).to_have_attribute("aria-selected", "true")
    identity = await options.nth(1).get_attribute("id")
    await expect(box).to_have_attribute("aria-activedescendant", identity or "")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/search?q=from*")
    assert site.searched_for[-1] == "from:ada@x.test"


async def test_suggestion_that_is_a_beginning_is_typed_on(site: Site, page: Page) -> None:
    box = page.get_by_role("combobox")
    await box.press_sequentially("fr")
    await page.get_by_role("option").first.click()
    await expect(box).to_have_value("from:")
    await expect(box).to_be_focused()
    await page.keyboard.type("x")
    await expect(page.get_by_role("option")).to_have_count(3)
    assert site.searched_for == [""]
    await page.get_by_role("option", name="<b>Bills</b>").click()
    await page.wait_for_url("**/search?q=label*")
    assert site.searched_for[-1] == 'label:"<b>"'


async def test_escape_closes_the_suggestions_and_enter_searches_what_was_typed(
    site: Site, page: Page
) -> None:
    box, options = page.get_by_role("combobox"), page.get_by_role("option")
    await box.press_sequentially("ad")
    await expect(options).to_have_count(3)
    await page.keyboard.press("Escape")
    await expect(page.locator(".suggestions")).to_be_hidden()
    await expect(box).to_be_focused()
    await expect(box).to_have_attribute("aria-expanded", "false")
    await page.keyboard.press("ArrowDown")
    await expect(options).to_have_count(3)
    await page.keyboard.press("Escape")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/search?q=ad")
    assert site.searched_for[-1] == "ad"


async def test_box_stays_closed_when_there_is_nothing_to_suggest(site: Site, page: Page) -> None:
    box = page.get_by_role("combobox")
    await box.press_sequentially("ad")
    await expect(page.locator(".suggestions")).to_be_visible()
    await box.fill("nothing")
    await expect(page.locator(".suggestions")).to_be_hidden()
