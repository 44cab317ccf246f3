"""The main job as a person sees it, in Chromium, against a whole running installation."""

import re
import socket
from pathlib import Path

import httpx
import pytest
from browser import open_new_inbox, send_raw
from pillarbox import Pillarbox, compose, wait_until
from playwright.sync_api import Browser, Page, expect

pytest_plugins = ["chromium"]
pytestmark = [pytest.mark.browser, pytest.mark.flow]

MAILS = 1000


def test_thousand_mails_arrive_once_on_an_open_page_and_download_byte_for_byte(
    pillarbox: Pillarbox, page: Page
) -> None:
    inbox = open_new_inbox(page, pillarbox)
    expect(page.locator("#live")).to_have_text("Live")
    mails = {f"mail {number}": compose(inbox.address, number) for number in range(MAILS)}
    send_raw(pillarbox, inbox.address, list(mails.values()))

    expect(page.locator("#rows .row")).to_have_count(MAILS, timeout=60_000)
    expect(page.locator("#count")).to_have_text("1,000 messages")
    subjects = page.locator("#rows .subject").all_text_contents()
    assert sorted(subjects) == sorted(mails)

    links = page.locator("#rows .row > a:first-of-type")
    paths = links.evaluate_all("links => links.map((link) => link.getAttribute('href'))")
    with httpx.Client(base_url=pillarbox.url, follow_redirects=True) as client:
        for subject, path in zip(subjects, paths, strict=True):
            raw = client.get(f"{path}/raw").content
            assert raw.endswith(mails[subject])
            trace = raw[: -len(mails[subject])].decode()
            assert re.fullmatch(
                r"Return-Path: <sender@example\.org>\r\n"
                r"Received: [^\r\n]+\r\n(?:[ \t][^\r\n]+\r\n)*",
                trace,
            ), trace


def test_mail_sent_by_the_button_can_be_read_and_saved(pillarbox: Pillarbox, page: Page) -> None:
    open_new_inbox(page, pillarbox)
    page.get_by_role("button", name="Send a test mail").click()
    page.locator("#rows .row a").first.click()
    expect(page.get_by_role("heading", name="Your first mail")).to_be_visible()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_text("test mail")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Raw message").click()
    saved = Path(download.value.path()).read_bytes()
    assert saved.startswith(b"Return-Path: <>\r\nReceived: ")
    assert b"Subject: Your first mail" in saved


def test_everything_works_without_javascript(pillarbox: Pillarbox, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    inbox = open_new_inbox(page, pillarbox)
    send_raw(pillarbox, inbox.address, [compose(inbox.address, n) for n in range(60)])

    def shows_mail() -> bool:
        page.goto(inbox.url)
        return page.locator("#count").inner_text() == "60 messages"

    wait_until(shows_mail, "the page lists the mail")
    expect(page.locator("#rows .row")).to_have_count(50)
    page.get_by_role("link", name="Load more").click()
    expect(page.locator("#rows .row")).to_have_count(10)
    page.locator("#rows .row a").last.click()
    expect(page.get_by_role("heading", name="mail 0")).to_be_visible()
    expect(page.get_by_text("The quick brown fox").first).to_be_visible()
    page.goto(inbox.url)
    page.get_by_role("button", name="Extend").click()
    expect(page.get_by_text("Delete", exact=True)).to_be_visible()
    page.get_by_text("Delete", exact=True).click()
    page.get_by_role("button", name="Delete for good").click()
    assert httpx.get(inbox.url).status_code == 404
    context.close()


def test_page_goes_on_where_it_was_when_the_web_process_was_killed(
    pillarbox: Pillarbox, page: Page
) -> None:
    inbox = open_new_inbox(page, pillarbox)
    expect(page.locator("#live")).to_have_text("Live")
    send_raw(pillarbox, inbox.address, [compose(inbox.address, n) for n in range(20)])
    expect(page.locator("#rows .row")).to_have_count(20)
    pillarbox.kill_child("web")
    send_raw(pillarbox, inbox.address, [compose(inbox.address, n) for n in range(20, 40)])
    expect(page.locator("#rows .row")).to_have_count(40, timeout=60_000)
    assert len(set(page.locator("#rows .subject").all_text_contents())) == 40


def test_administrator_signs_in_by_the_link_and_out_again(pillarbox: Pillarbox, page: Page) -> None:
    link = re.search(r"http://\S+/sign-in/\S+", pillarbox.said)
    assert link
    page.goto(link[0])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    page.goto(link[0])
    expect(page.get_by_role("heading", name="This sign-in link does not work")).to_be_visible()


def test_mail_runs_nothing_and_fetches_nothing(pillarbox: Pillarbox, page: Page) -> None:
    """Whatever gets past the sanitiser meets the frame's policy."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        port = elsewhere.getsockname()[1]
        elsewhere.settimeout(0.2)
        inbox = open_new_inbox(page, pillarbox)
        html = (
            f"<script>top.location='http://127.0.0.1:{port}/'</script>"
            f"<img src='http://127.0.0.1:{port}/a.png' onerror='alert(1)'>"
            f"<style>@import 'http://127.0.0.1:{port}/b.css';</style>"
            f"<div style='background:url(http://127.0.0.1:{port}/c.png)'>Hello there</div>"
            f"<meta http-equiv=refresh content='0;url=http://127.0.0.1:{port}/d'>"
            f"<form action='http://127.0.0.1:{port}/e'><input autofocus onfocus='alert(2)'></form>"
            f"<iframe src='http://127.0.0.1:{port}/f'></iframe>"
        )
        mail = (
            b"From: a@example.org\r\nSubject: hostile\r\nMessage-ID: <h@example.org>\r\n"
            b"Content-Type: text/html\r\n\r\n" + html.encode() + b"\r\n"
        )
        dialogs: list[str] = []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        send_raw(pillarbox, inbox.address, [mail])
        page.locator("#rows .row a").first.click()
        expect(page.frame_locator("iframe").get_by_text("Hello there")).to_be_visible()
        expect(page.get_by_text("not loaded")).to_be_visible()
        assert dialogs == []
        with pytest.raises(TimeoutError):
            elsewhere.accept()
