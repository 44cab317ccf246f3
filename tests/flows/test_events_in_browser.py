"""The page of events in Chromium, against a whole running installation."""

from collections.abc import Iterator

import pytest
from accessibility import find_faults
from browser import Account, create_account, send_raw, sign_in, write_mail
from pillarbox import Pillarbox
from playwright.sync_api import Browser, BrowserContext, Page, expect

pytest_plugins = ["chromium"]
pytestmark = [pytest.mark.browser, pytest.mark.flow]
expect.set_options(timeout=20_000)

ARRIVALS = "#rows .row:has(.from:text('Mail arrived')) .subject"


@pytest.fixture(scope="module")
def account(pillarbox: Pillarbox) -> Account:
    return create_account(pillarbox, "office")


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, account: Account) -> Iterator[BrowserContext]:
    context = chromium.new_context()
    sign_in(context.new_page(), account)
    yield context
    context.close()


def test_open_page_has_each_event_once_when_the_web_process_was_killed(
    pillarbox: Pillarbox, account: Account, signed_in: BrowserContext
) -> None:
    page: Page = signed_in.new_page()
    page.goto(f"{pillarbox.url}/events?what=mail")
    expect(page.locator("#live")).to_have_text("Live")
    before, after = ([write_mail(account, f"{word} {n}") for n in range(15)] for word in "AB")
    send_raw(pillarbox, account.address, before)
    expect(page.locator(ARRIVALS)).to_have_count(15)
    pillarbox.kill_child("web")
    send_raw(pillarbox, account.address, after)
    expect(page.locator(ARRIVALS)).to_have_count(30, timeout=60_000)
    subjects = page.locator(ARRIVALS).all_text_contents()
    assert sorted(subjects) == sorted(f"{word} {n}" for word in "AB" for n in range(15))
    shown = page.locator("#rows .row").evaluate_all("rows => rows.map((row) => row.id)")
    assert shown == sorted(set(shown), reverse=True)
    assert page.locator("#arrived").inner_text().endswith(" new")
    assert find_faults(page) == []
