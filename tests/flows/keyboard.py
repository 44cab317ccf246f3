"""A person who has a keyboard and nothing else."""

from playwright.sync_api import Locator, Page, expect

_STOPS = 90
_IS_FOCUSED = "element => element === document.activeElement"
_IS_SEEN = """element => ["", "::after"].some(
    (part) => getComputedStyle(element, part).outlineStyle !== "none")"""


def tab_to(page: Page, target: Locator) -> None:
    """Presses Tab until `target` has the focus, which must be seen."""
    for _ in range(_STOPS):
        page.keyboard.press("Tab")
        if target.evaluate(_IS_FOCUSED):
            assert target.evaluate(_IS_SEEN), f"{target} does not show that it has the focus"
            return
    raise AssertionError(f"Tab does not reach {target}")


def use(page: Page, target: Locator) -> None:
    """A link or a button."""
    tab_to(page, target)
    page.keyboard.press("Enter")


def tick(page: Page, box: Locator) -> None:
    """A checkbox, whose state becomes the other one."""
    tab_to(page, box)
    page.keyboard.press("Space")


def choose(page: Page, group: Locator, wanted: Locator) -> None:
    """One of a `group` of radio buttons: Tab reaches the one that is chosen, arrows the others."""
    tab_to(page, group.and_(page.locator(":checked")))
    for _ in range(group.count()):
        if wanted.is_checked():
            return
        page.keyboard.press("ArrowDown")
    assert wanted.is_checked()


def type_at_once(page: Page, text: str) -> None:
    """Into the field that a page has put the focus into, once it has."""
    expect(page.locator("input:focus")).to_have_count(1)
    page.keyboard.type(text)


def write(page: Page, field: Locator, text: str) -> None:
    """Into a field, in place of what stands there; of a select the choice that begins so."""
    tab_to(page, field)
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(text)
