"""The signed-in inbox as a person with a mouse uses it, against a whole running installation."""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from urllib.parse import urlencode

import pytest
from browser import (
    Account,
    create_account,
    row,
    send_raw,
    sign_in,
    sign_in_by_mail,
    wait_for_scripts,
    write_mail,
)
from pillarbox import Pillarbox, installation, wait_until
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from watched_chromium import listening_canary

pytest_plugins = ["chromium"]
pytestmark = [pytest.mark.browser, pytest.mark.flow]
expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def pillarbox() -> Iterator[Pillarbox]:
    with installation(EGRESS_ALLOW="127.0.0.0/8") as pillarbox:
        yield pillarbox.start()


@pytest.fixture(scope="module")
def account(pillarbox: Pillarbox) -> Account:
    return create_account(pillarbox, "office")


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, account: Account) -> Iterator[BrowserContext]:
    context = chromium.new_context()
    sign_in(context.new_page(), account)
    yield context
    context.close()


@pytest.fixture
def inbox(pillarbox: Pillarbox, signed_in: BrowserContext) -> Iterator[Page]:
    """The inbox of somebody signed in, with whatever earlier tests left in it archived."""
    page = signed_in.new_page()
    page.goto(f"{pillarbox.url}/inbox")
    expect(page.locator("#live")).to_have_text("Live")
    if page.locator("#rows .row").count():
        page.locator("#select-all").check()
        page.get_by_role("button", name="Archive", exact=True).click()
        expect(page.locator("#rows .row")).to_have_count(0)
    yield page
    page.close()


def test_person_signs_in_by_mail_sees_where_and_signs_out(
    pillarbox: Pillarbox, page: Page, chromium: Browser
) -> None:
    account = create_account(pillarbox, "visitor")
    page.goto(f"{pillarbox.url}/inbox")
    expect(page.get_by_role("heading", name="Sign in to Pillarbox")).to_be_visible()
    sign_in_by_mail(page, account)
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()

    elsewhere = chromium.new_context()
    other = elsewhere.new_page()
    other.goto(f"{pillarbox.url}/sign-in")
    sign_in_by_mail(other, account)
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Your sign-ins").click()
    expect(page.get_by_role("heading", name="Where you are signed in")).to_be_visible()
    expect(page.get_by_text("This browser")).to_have_count(1)
    page.get_by_role("button", name="Sign out everywhere else").click()
    expect(page.get_by_text("You are signed in nowhere else.")).to_be_visible()
    other.goto(f"{pillarbox.url}/inbox")
    expect(other.get_by_role("heading", name="Sign in to Pillarbox")).to_be_visible()
    elsewhere.close()

    page.locator(".rail").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    page.go_back()
    page.goto(f"{pillarbox.url}/inbox")
    expect(page.get_by_role("heading", name="Sign in to Pillarbox")).to_be_visible()


def test_mail_arrives_is_read_starred_archived_and_brought_back(
    pillarbox: Pillarbox, account: Account, inbox: Page
) -> None:
    page = inbox
    plain_icon = page.locator("link[rel=icon]").get_attribute("href")
    send_raw(
        pillarbox,
        account.address,
        [write_mail(account, f"{what} on Friday") for what in ("Lunch", "Tea", "Dinner")],
    )
    expect(page.locator("#rows .row")).to_have_count(3)
    expect(page).to_have_title("(3) Inbox · Pillarbox")
    assert page.locator("link[rel=icon]").get_attribute("href") != plain_icon

    lunch = row(page, "Lunch on Friday")
    heavy = weight_of(lunch)
    lunch.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Lunch on Friday")).to_be_visible()
    expect(page.locator("pre.text")).to_have_text("Thanks to everybody who came.")
    page.get_by_role("link", name="Inbox").last.click()
    expect(page.locator("#rows .row")).to_have_count(3)
    expect(page).to_have_title("(2) Inbox · Pillarbox")
    assert weight_of(lunch) < heavy
    assert weight_of(row(page, "Tea on Friday")) == heavy

    row(page, "Tea on Friday").get_by_role("button", name="Star", exact=True).click()
    expect(row(page, "Tea on Friday").get_by_role("button", name="Unstar")).to_be_visible()
    page.get_by_role("link", name="Starred").click()
    expect(page.locator("#rows .subject")).to_have_text(["Tea on Friday"])
    page.locator("#folders").get_by_role("link", name="Inbox").click()

    order = page.locator("#rows .subject").all_text_contents()
    row(page, "Tea on Friday").get_by_role("link").click()
    page.get_by_role("button", name="Archive", exact=True).click()
    expect(page.locator("#rows .row")).to_have_count(2)
    expect(page.locator("#toasts")).to_contain_text("1 message archived.")
    expect(page).to_have_title("(1) Inbox · Pillarbox")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#toasts")).to_contain_text("1 message put back.")
    expect(page.locator("#rows .subject")).to_have_text(order)
    page.reload()
    expect(page.locator("#rows .subject")).to_have_text(order)


def weight_of(one: Locator) -> int:
    return int(one.locator(".subject").evaluate("element => getComputedStyle(element).fontWeight"))


def test_several_messages_are_labelled_trashed_and_brought_back_at_once(
    pillarbox: Pillarbox, account: Account, inbox: Page
) -> None:
    page = inbox
    send_raw(pillarbox, account.address, [write_mail(account, f"Flight {n}") for n in range(1, 6)])
    expect(page.locator("#rows .row")).to_have_count(5)
    order = page.locator("#rows .subject").all_text_contents()

    for number in (1, 2, 4):
        row(page, f"Flight {number}").get_by_role("checkbox").check()
    expect(page.locator("#selected")).to_have_text("3 selected")
    page.get_by_title("Label", exact=True).click()
    page.locator("[name=name]").fill("Travel")
    page.get_by_role("button", name="Put on").click()
    expect(page.locator("#rows .label", has_text="Travel")).to_have_count(3)
    expect(page.locator("#toasts")).to_contain_text("3 messages labelled.")
    page.reload()
    page.locator("#folders").get_by_role("link", name="Travel").click()
    expect(page.locator("#rows .row")).to_have_count(3)

    wait_for_scripts(page)
    page.locator("#select-all").check()
    page.get_by_role("button", name="Trash", exact=True).click()
    expect(page.locator("#rows .row")).to_have_count(0)
    expect(page.locator("#toasts")).to_contain_text("3 messages moved to the trash.")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#rows .row")).to_have_count(3)
    page.locator("#folders").get_by_role("link", name="Inbox").click()
    expect(page.locator("#rows .subject")).to_have_text(order)


def test_search_finds_by_operators_and_completes_by_keyboard(
    pillarbox: Pillarbox, account: Account, inbox: Page
) -> None:
    page = inbox
    sender = "Jonas Berg <jonas@berg.test>"
    mails = [
        write_mail(account, "Gardening in March", sender=sender),
        write_mail(account, "Gardening in April", file_name="beds.pdf"),
        write_mail(account, "Weeds", text="About gardening too."),
    ]
    send_raw(pillarbox, account.address, mails)
    expect(page.locator("#rows .row")).to_have_count(3)
    row(page, "Weeds").get_by_role("button", name="Star", exact=True).click()
    expect(row(page, "Weeds").get_by_role("button", name="Unstar")).to_be_visible()

    def is_indexed() -> bool:
        page.goto(f"{pillarbox.url}/search?q=gardening")
        return page.locator("#rows .row").count() == 3

    wait_until(is_indexed, "all three are found")
    expect(page.locator("#rows mark").first).to_have_text(re.compile("gardening", re.I))
    now = datetime.now(UTC)
    yesterday, tomorrow = (f"{now + timedelta(days=days):%Y/%m/%d}" for days in (-1, 1))
    box = page.get_by_role("combobox", name="Search mail")
    for query, subjects in (
        ("from:jonas@berg.test gardening", {"Gardening in March"}),
        ("subject:gardening", {"Gardening in March", "Gardening in April"}),
        ("gardening has:attachment", {"Gardening in April"}),
        ("gardening is:starred", {"Weeds"}),
        (f"gardening after:{yesterday} before:{tomorrow} -is:starred",
         {"Gardening in March", "Gardening in April"}),
        (f"gardening before:{yesterday}", set()),
    ):  # fmt: skip
        box.fill(query)
        box.press("Escape")
        box.press("Enter")
        page.wait_for_url(lambda url: url.endswith(f"?{urlencode({'q': query})}"))  # noqa: B023
        assert set(page.locator("#rows .subject").all_text_contents()) == subjects, query

    wait_for_scripts(page)
    box.fill("jon")
    expect(page.get_by_role("option").first).to_be_visible()
    option = page.get_by_role("option", name="jonas@berg.test").first
    for _ in range(page.get_by_role("option").count()):
        box.press("ArrowDown")
        if option.get_attribute("aria-selected") == "true":
            break
    chosen = option.get_attribute("data-query") or ""
    box.press("Enter")
    expect(box).to_have_value(re.compile(re.escape(chosen)))
    box.press("Escape")
    box.press("Enter")
    expect(page.locator("#rows .subject")).to_have_text(["Gardening in March"])


def make_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\xc8\x10\x2e" * width) * height)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_picture_on_the_web_is_fetched_by_us_once_it_is_asked_for(
    pillarbox: Pillarbox, account: Account, inbox: Page
) -> None:
    page = inbox
    own = page.evaluate("navigator.userAgent")
    with listening_canary() as sender:
        sender.content["/open.png?who=you"] = ("image/png", make_png(40, 20))
        html = f"<p>See:</p><img src='{sender.url}/open.png?who=you'>"
        send_raw(pillarbox, account.address, [write_mail(account, "A picture", html=html)])
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        row(page, "A picture").get_by_role("link").click()
        expect(page.get_by_text("1 picture on other servers not loaded")).to_be_visible()
        expect(page.frame_locator("iframe").get_by_text("See:")).to_be_visible()
        assert sender.connections == 0

        page.get_by_role("link", name="Show pictures").click()
        picture = page.frame_locator("iframe").locator("img")
        expect(page.get_by_text("Pictures come through Pillarbox")).to_be_visible()
        expect(picture).to_have_js_property("naturalWidth", 40)
        assert sender.asked == ["/open.png?who=you"]
        assert all(url.startswith((pillarbox.url, "data:", "about:")) for url in asked)
        (headers,) = sender.headers
        assert own not in headers.values()
        assert not {"cookie", "referer", "x-forwarded-for", "accept-language"} & headers.keys()


def test_raw_messages_are_downloaded_byte_for_byte_alone_and_together(
    pillarbox: Pillarbox, account: Account, inbox: Page
) -> None:
    page = inbox
    mails = {f"Letter {number}": write_mail(account, f"Letter {number}") for number in (1, 2, 3)}
    send_raw(pillarbox, account.address, list(mails.values()))
    expect(page.locator("#rows .row")).to_have_count(3)

    row(page, "Letter 1").get_by_role("checkbox").check()
    row(page, "Letter 3").get_by_role("checkbox").check()
    with page.expect_download() as together:
        page.get_by_role("button", name="Zip").click()
    with zipfile.ZipFile(BytesIO(Path(together.value.path()).read_bytes())) as archive:
        packed = [archive.read(name) for name in archive.namelist()]
    assert len(packed) == 2
    for subject in ("Letter 1", "Letter 3"):
        assert any(raw.endswith(mails[subject]) for raw in packed)

    row(page, "Letter 3").get_by_role("link").click()
    with page.expect_download() as alone:
        page.get_by_role("link", name="Raw message").click()
    raw = Path(alone.value.path()).read_bytes()
    assert raw in packed
    trace = raw.removesuffix(mails["Letter 3"]).decode()
    assert re.fullmatch(
        r"Return-Path: [^\r\n]+\r\nReceived: [^\r\n]+\r\n(?:[ \t][^\r\n]+\r\n)*", trace
    )


def test_open_list_loses_and_doubles_no_row_when_the_web_process_was_killed(
    pillarbox: Pillarbox, account: Account, inbox: Page
) -> None:
    page = inbox
    before, after = ([write_mail(account, f"{word} {n}") for n in range(15)] for word in "AB")
    send_raw(pillarbox, account.address, before)
    expect(page.locator("#rows .row")).to_have_count(15)
    pillarbox.kill_child("web")
    send_raw(pillarbox, account.address, after)
    expect(page.locator("#rows .row")).to_have_count(30, timeout=60_000)
    assert len(set(page.locator("#rows .subject").all_text_contents())) == 30
    row(page, "B 14").get_by_role("checkbox").check()
    page.get_by_role("button", name="Archive", exact=True).click()
    expect(page.locator("#rows .row")).to_have_count(29)
