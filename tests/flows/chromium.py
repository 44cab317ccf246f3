"""Chromium in front of a whole installation, as fixtures: `pytest_plugins = ["chromium"]`."""

from collections.abc import Iterator

import pytest
from chromium_program import ARGUMENTS, PROGRAM
from pillarbox import Pillarbox, installation
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright


@pytest.fixture(scope="module")
def pillarbox() -> Iterator[Pillarbox]:
    with installation() as pillarbox:
        yield pillarbox.start()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context()
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()
