"""The main way through the inbox by keyboard alone, on a phone, and without JavaScript."""

import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import pytest
from browser import (
    create_account,
    row,
    send_raw,
    sign_in_by_mail,
    wait_for_scripts,
    write_mail,
)
from keyboard import type_at_once, use
from pillarbox import Pillarbox, installation, wait_until
from playwright.sync_api import Browser, Locator, Page, expect

pytest_plugins = ["chromium"]
pytestmark = [pytest.mark.browser, pytest.mark.flow]
expect.set_options(timeout=20_000)

WORDS = ("Apples", "Bread", "Cheese", "Dates", "Eggs")


@pytest.fixture(scope="module")
def pillarbox() -> Iterator[Pillarbox]:
    with installation() as pillarbox:
        yield pillarbox.start()


def subjects(page: Page) -> Locator:
    return page.locator("#rows .subject")


def test_everything_can_be_done_by_keyboard_alone(pillarbox: Pillarbox, page: Page) -> None:
    account = create_account(pillarbox, "keyboard")
    press = page.keyboard.press
    page.goto(f"{pillarbox.url}/inbox")
    type_at_once(page, account.email)
    press("Enter")
    use(page, page.get_by_role("link", name="the mail is in the outbox"))
    use(page, page.locator("#main li").get_by_role("link").first)
    use(page, page.get_by_role("link", name="Open its link"))
    use(page, page.get_by_role("button", name="Sign in"))
    page.wait_for_url("**/inbox")
    expect(page.locator("#live")).to_have_text("Live")

    for word in WORDS:
        send_raw(pillarbox, account.address, [write_mail(account, word)])
        expect(row(page, word)).to_be_visible()
    order = subjects(page).all_text_contents()
    focused = page.locator(".row:focus-within .subject")

    press("j")
    press("j")
    expect(focused).to_have_text(order[1])
    press("k")
    expect(focused).to_have_text(order[0])
    press("o")
    expect(page.get_by_role("heading", name=order[0])).to_be_visible()
    press("j")
    expect(page.get_by_role("heading", name=order[1])).to_be_visible()
    press("k")
    expect(page.get_by_role("heading", name=order[0])).to_be_visible()
    press("o")
    expect(focused).to_have_text(order[0])
    expect(row(page, order[0])).not_to_have_class(re.compile("unread"))
    press("u")
    expect(row(page, order[0])).to_have_class(re.compile("unread"))
    press("s")
    expect(row(page, order[0]).get_by_role("button", name="Unstar")).to_have_count(1)
    press("s")
    expect(row(page, order[0]).get_by_role("button", name="Star", exact=True)).to_have_count(1)

    press("e")
    expect(subjects(page)).to_have_text(order[1:])
    expect(focused).to_have_text(order[1])
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    press("z")
    expect(subjects(page)).to_have_text(order)
    press("j")
    first = focused.text_content()
    press("x")
    press("j")
    press("x")
    expect(page.locator("#selected")).to_have_text("2 selected")
    press("#")
    expect(subjects(page)).to_have_count(3)
    expect(row(page, first or "")).to_have_count(0)
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    press("z")
    expect(subjects(page)).to_have_text(order)

    press("Enter")
    expect(page.locator("article h1")).to_be_visible()
    press("e")
    expect(subjects(page)).to_have_count(4)
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    press("z")
    expect(subjects(page)).to_have_text(order)

    press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()

    def is_indexed() -> bool:
        wait_for_scripts(page)
        press("/")
        page.keyboard.type("subject:cheese")
        press("Escape")
        press("/")
        press("Enter")
        page.wait_for_url(re.compile("/search"))
        return subjects(page).all_text_contents() == ["Cheese"]

    wait_until(is_indexed, "it is found")
    wait_for_scripts(page)
    press("j")
    press("o")
    expect(page.get_by_role("heading", name="Cheese")).to_be_visible()
    press("g")
    press("i")
    page.wait_for_url("**/inbox")
    expect(subjects(page)).to_have_text(order)

    use(page, page.get_by_role("link", name="Settings"))
    use(page, page.get_by_role("link", name="Your sign-ins"))
    expect(page.get_by_role("heading", name="Where you are signed in")).to_be_visible()
    use(page, page.locator("#main").get_by_role("button", name="Sign out").first)
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_everything_can_be_done_on_a_phone(pillarbox: Pillarbox, chromium: Browser) -> None:
    account = create_account(pillarbox, "phone")
    context = chromium.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto(f"{pillarbox.url}/inbox")
    sign_in_by_mail(page, account)
    expect(page.locator("#live")).to_have_text("Live")
    send_raw(pillarbox, account.address, [write_mail(account, word) for word in WORDS])
    expect(subjects(page)).to_have_count(5)
    assert fits(page)
    order = subjects(page).all_text_contents()

    row(page, "Bread").get_by_role("link").tap()
    expect(page.get_by_role("heading", name="Bread")).to_be_visible()
    expect(row(page, "Apples")).to_be_hidden()
    assert fits(page)
    page.get_by_role("button", name="Star").tap()
    expect(page.get_by_role("button", name="Take the star away")).to_be_visible()
    page.get_by_role("button", name="Archive", exact=True).tap()
    expect(subjects(page)).to_have_count(4)
    page.get_by_role("button", name="Undo").tap()
    expect(subjects(page)).to_have_text(order)
    expect(row(page, "Bread")).not_to_have_class(re.compile("unread"))

    for word in ("Cheese", "Eggs"):
        row(page, word).get_by_role("checkbox").tap()
    expect(page.locator("#selected")).to_have_text("2 selected")
    assert fits(page)
    page.get_by_role("button", name="Trash", exact=True).tap()
    expect(subjects(page)).to_have_count(3)
    page.get_by_role("button", name="Undo").tap()
    expect(subjects(page)).to_have_text(order)

    page.get_by_role("button", name="Folders").tap()
    page.get_by_role("link", name="Starred").tap()
    page.wait_for_url("**/inbox?starred=1")
    wait_for_scripts(page)
    expect(subjects(page)).to_have_text(["Bread"])
    page.get_by_role("button", name="Folders").tap()
    assert fits(page)
    page.locator("#folders").get_by_role("link", name="Inbox").tap()
    expect(subjects(page)).to_have_text(order)

    def is_indexed() -> bool:
        page.goto(f"{pillarbox.url}/search")
        wait_for_scripts(page)
        box = page.get_by_role("combobox", name="Search mail")
        box.tap()
        box.fill("subject:cheese")
        box.press("Escape")
        box.press("Enter")
        page.wait_for_url(re.compile(r"/search\?"))
        return subjects(page).all_text_contents() == ["Cheese"]

    wait_until(is_indexed, "it is found")
    assert fits(page)
    wait_for_scripts(page)
    row(page, "Cheese").get_by_role("link").tap()
    with page.expect_download() as download:
        page.get_by_role("link", name="Raw message").tap()
    assert b"Subject: Cheese" in Path(download.value.path()).read_bytes()
    page.get_by_role("link", name="Settings").tap()
    page.get_by_role("button", name="Sections").tap()
    page.get_by_role("link", name="Your sign-ins").tap()
    expect(page.get_by_text("This browser")).to_be_visible()
    assert fits(page)
    page.locator("#main").get_by_role("button", name="Sign out").tap()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    context.close()


def test_everything_can_be_done_without_javascript(pillarbox: Pillarbox, chromium: Browser) -> None:
    account = create_account(pillarbox, "plain")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{pillarbox.url}/inbox")
    sign_in_by_mail(page, account)
    html = "<p>Buy some.</p><img src=http://127.0.0.1:9/pixel>"
    send_raw(pillarbox, account.address, [write_mail(account, word, html=html) for word in WORDS])

    def all_came() -> bool:
        page.get_by_role("link", name="Look for new mail").click()
        return subjects(page).count() == len(WORDS)

    wait_until(all_came, "the list shows the mail")
    order = subjects(page).all_text_contents()
    assert row(page, "Bread").get_attribute("class") == "row unread"
    row(page, "Bread").get_by_role("link").click()
    expect(page.get_by_role("heading", name="Bread")).to_be_visible()
    expect(page.frame_locator("iframe").get_by_text("Buy some.")).to_be_visible()
    expect(page.get_by_text("1 picture on other servers not loaded")).to_be_visible()
    page.get_by_role("link", name="Show pictures").click()
    expect(page.get_by_text("Pictures come through Pillarbox")).to_be_visible()
    page.get_by_role("link", name="Text", exact=True).click()
    expect(page.locator("pre.text")).to_contain_text("Thanks to everybody")
    page.get_by_role("link", name="Headers", exact=True).click()
    expect(page.get_by_role("rowheader", name="Subject")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Raw message").click()
    assert b"Subject: Bread" in Path(download.value.path()).read_bytes()

    page.get_by_role("button", name="Star").click()
    expect(page.locator("#toasts")).to_contain_text("1 message starred.")
    expect(row(page, "Bread").get_by_role("button", name="Unstar")).to_be_visible()
    assert row(page, "Bread").get_attribute("class") == "row"
    row(page, "Bread").get_by_role("link").click()
    page.get_by_role("button", name="Archive", exact=True).click()
    expect(subjects(page)).to_have_count(4)
    expect(page.locator("#toasts")).to_contain_text("1 message archived.")
    page.get_by_role("button", name="Undo").click()
    expect(subjects(page)).to_have_text(order)

    for word in ("Cheese", "Eggs"):
        row(page, word).get_by_role("checkbox").check()
    page.get_by_title("Label", exact=True).click()
    page.locator("[name=name]").fill("Kitchen")
    page.get_by_role("button", name="Put on").click()
    expect(page.locator("#rows .label", has_text="Kitchen")).to_have_count(2)
    page.locator("#folders").get_by_role("link", name="Kitchen").click()
    expect(subjects(page)).to_have_count(2)
    for checkbox in page.locator("#rows").get_by_role("checkbox").all():
        checkbox.check()
    with page.expect_download() as zipped:
        page.get_by_role("button", name="Zip").click()
    with zipfile.ZipFile(BytesIO(Path(zipped.value.path()).read_bytes())) as archive:
        assert len(archive.namelist()) == 2
    page.get_by_role("button", name="Trash", exact=True).click()
    expect(subjects(page)).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(subjects(page)).to_have_count(2)

    def is_indexed() -> bool:
        page.goto(f"{pillarbox.url}/search")
        page.get_by_role("combobox", name="Search mail").fill("subject:cheese label:kitchen")
        page.get_by_role("combobox", name="Search mail").press("Enter")
        page.wait_for_url(f"**/search?q={quote('subject:cheese')}+{quote('label:kitchen')}")
        return subjects(page).all_text_contents() == ["Cheese"]

    wait_until(is_indexed, "it is found")
    page.get_by_text("Save this search").click()
    page.get_by_label("Name").fill("Cheese to buy")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="Cheese to buy")).to_be_visible()

    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Your sign-ins").click()
    expect(page.get_by_text("This browser")).to_be_visible()
    page.locator("#main").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    page.goto(f"{pillarbox.url}/inbox")
    expect(page.get_by_role("heading", name="Sign in to Pillarbox")).to_be_visible()
    context.close()
