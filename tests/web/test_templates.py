"""What every page keeps to, and what the single ones show."""

import re
from collections import Counter
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from jinja2 import Environment
from page_samples import INBOX, NOW, FixedClock, Page, make_message, make_pages, make_row
from selectolax.lexbor import LexborHTMLParser, LexborNode

from app.web.rendering import STATIC_FOLDER, TEMPLATE_FOLDER, create_environment

_PAGES = {page.name: page for page in make_pages()}


@pytest.fixture(scope="module")
def environment() -> Environment:
    return create_environment(FixedClock())


@pytest.fixture(params=_PAGES)
def page(request: pytest.FixtureRequest) -> Page:
    return _PAGES[request.param]


def render(environment: Environment, page: Page, **changes: Any) -> str:
    return environment.get_template(page.template).render({**page.context, **changes})


def parse(environment: Environment, page: Page, **changes: Any) -> LexborHTMLParser:
    return LexborHTMLParser(render(environment, page, **changes))


def attributes(tree: LexborHTMLParser) -> list[tuple[LexborNode, str, str]]:
    return [
        (node, name, value or "")
        for node in tree.css("*")
        for name, value in node.attributes.items()
    ]


def test_every_page_has_a_sample() -> None:
    bases = {"layout.html", "messages/list.html", "messages/body.html"}
    files = {str(file.relative_to(TEMPLATE_FOLDER)) for file in TEMPLATE_FOLDER.rglob("*.html")}
    pages = {name for name in files if not name.rpartition("/")[2].startswith("_")}
    assert pages - bases == {page.template for page in _PAGES.values()}


def test_page_needs_no_script_or_style_in_itself(environment: Environment, page: Page) -> None:
    tree = parse(environment, page)
    assert not tree.css("style, [style], a[href^='javascript:']")
    assert all(script.attributes.get("src") and not script.text() for script in tree.css("script"))
    assert not [name for _, name, _ in attributes(tree) if re.match(r"on|hx-on|hx-vals", name)]


def test_page_asks_no_other_host(environment: Environment, page: Page) -> None:
    links = [
        value
        for _, name, value in attributes(parse(environment, page))
        if name in ("href", "src", "action", "hx-get", "hx-sse:connect")
    ]
    assert links
    assert [link for link in links if not link.startswith(("/", "#")) or link[:2] == "//"] == []


def test_page_shows_only_files_and_icons_that_exist(environment: Environment, page: Page) -> None:
    sprite = (STATIC_FOLDER / "vendor" / "lucide.svg").read_text()
    links = [urlsplit(value) for _, _, value in attributes(parse(environment, page))]
    static = [link for link in links if link.path.startswith("/static/")]
    assert static
    for link in static:
        assert (STATIC_FOLDER / link.path.removeprefix("/static/")).is_file()
        assert not link.fragment or f'<symbol id="{link.fragment}"' in sprite


def test_page_is_well_formed_for_those_who_listen(environment: Environment, page: Page) -> None:
    tree = parse(environment, page)
    ids = Counter(node.attributes["id"] for node in tree.css("[id]"))
    assert [name for name, times in ids.items() if times > 1] == []
    assert len(tree.css("h1")) == len(tree.css("main")) == 1
    assert (tree.css_first("title").text() or "").replace("· Pillarbox", "").strip()
    assert all("alt" in image.attributes for image in tree.css("img"))
    for control in tree.css("button, a, summary"):
        label = control.attributes.get("aria-label") or control.text(strip=True)
        assert label, control.html


def test_page_lets_no_mail_become_markup(environment: Environment, page: Page) -> None:
    html = render(environment, page)
    assert "<script>" not in html
    assert "<img src=x" not in html
    assert "\u202e" not in re.sub(r"<pre.*?</pre>", "", html, flags=re.DOTALL)


def test_form_of_a_session_carries_its_token(environment: Environment, page: Page) -> None:
    forms = parse(environment, page, csrf_token="proof").css("form[method=post]")
    assert all(form.css_matches("[name=csrf_token][value=proof]") for form in forms)


def test_fifty_rows_weigh_at_most_sixty_kilobytes(environment: Environment) -> None:
    for name in ("temporary", "inbox"):
        assert len(parse(environment, _PAGES[name]).css(".row")) == 50
        assert len(render(environment, _PAGES[name]).encode()) <= 60_000


def test_empty_inbox_says_where_to_send(environment: Environment) -> None:
    text = parse(environment, _PAGES["temporary, empty"]).css_first(".empty").text()
    assert "No mail yet." in text
    assert f"Send one to {INBOX.address} and it appears here." in text
    assert f"swaks --server 127.0.0.1:2525 --to {INBOX.address}" in text


def test_list_connects_from_its_position(environment: Environment) -> None:
    for name, url in (
        ("temporary", "/t/tok/live?after=5"),
        ("inbox", "/inbox/live?after=5"),
        ("inbox, one mailbox", f"/inbox/live?mailbox={UUID(int=7)}&after=5"),
    ):
        section = parse(environment, _PAGES[name]).css_first("section.list")
        assert section.attributes["hx-sse:connect"] == url


def test_htmx_has_its_extension_before_it_starts(environment: Environment) -> None:
    """A deferred htmx does not wait for it, and the list would never connect."""
    scripts = parse(environment, _PAGES["temporary"]).css("main ~ script")
    assert [(script.attributes["src"] or "").partition("?")[0] for script in scripts] == [
        "/static/vendor/htmx.min.js",
        "/static/vendor/hx-sse.min.js",
    ]
    assert not [script for script in scripts if {"defer", "async"} & script.attributes.keys()]


def test_older_page_of_a_list_waits_for_nothing(environment: Environment) -> None:
    tree = parse(environment, _PAGES["temporary, older"])
    assert "hx-sse:connect" not in tree.css_first("section.list").attributes
    assert tree.css_first(".bar > a").attributes["href"] == "/t/tok"


def test_load_more_is_a_link_that_keeps_the_mailbox(environment: Environment) -> None:
    link = parse(environment, _PAGES["inbox, one mailbox"]).css_first(".more a")
    assert link.attributes["href"] == f"/inbox?mailbox={UUID(int=7)}&cursor=a%3D%26b"
    assert link.attributes["hx-get"] == link.attributes["href"]


def test_rows_alone_are_the_rows_of_the_page(environment: Environment) -> None:
    page = _PAGES["inbox"]
    rows = environment.get_template("messages/_rows.html").render(page.context)
    assert rows.strip() in render(environment, page)


def test_arrival_is_the_row_of_the_list_and_the_new_count(environment: Environment) -> None:
    row = make_row()
    arrival = environment.get_template("messages/_arrival.html")
    tree = LexborHTMLParser(arrival.render(row=row, base_url="/t/tok", inbox=INBOX))
    assert tree.css_first("li").attributes["class"] == "row unread arrived"
    assert tree.css_first("li a").attributes["href"] == f"/t/tok/m/{row.id}"
    assert tree.css_first("#count").text() == "3 messages"
    assert "count" not in arrival.render(row=row, base_url="/inbox")


def test_row_names_its_mailbox_only_where_there_are_several(environment: Environment) -> None:
    assert not parse(environment, _PAGES["temporary"]).css(".mailbox")
    mailbox = parse(environment, _PAGES["inbox"]).css(".mailbox")[1]
    assert mailbox.attributes["href"] == f"/inbox?mailbox={UUID(int=7)}"


def test_row_of_a_bare_message_still_says_something(environment: Environment) -> None:
    bare = make_row(from_name="", from_address="", subject="", snippet="", attachment_count=0)
    page = _PAGES["temporary"]
    row = parse(environment, page, rows=[bare]).css_first(".row")
    assert "Unknown sender" in row.text()
    assert "No subject" in row.text()
    assert not row.css(".clip")


def test_message_frame_may_open_links_and_nothing_else(environment: Environment) -> None:
    frame = parse(environment, _PAGES["message"]).css_first("iframe")
    assert frame.attributes["sandbox"] == "allow-popups allow-popups-to-escape-sandbox"
    assert (frame.attributes["src"] or "").endswith("/body")


def test_message_offers_the_views_it_has(environment: Environment) -> None:
    def views(name: str) -> list[str]:
        return [link.text(strip=True) for link in parse(environment, _PAGES[name]).css(".tabs a")]

    assert views("message")[:3] == ["Message", "Text", "Headers"]
    assert views("message, bare")[:2] == ["Text", "Headers"]


def test_message_links_to_its_neighbours_and_back(environment: Environment) -> None:
    page = _PAGES["message, text"]
    links = {link.attributes["data-key"]: link for link in parse(environment, page).css(".steps a")}
    message = page.context["message"]
    assert links["o"].attributes["href"] == f"/inbox#m-{message.id}"
    assert links["k"].attributes["href"] == f"/inbox/m/{page.context['previous_id']}"
    assert links["j"].attributes["href"] == f"/inbox/m/{page.context['next_id']}"


def test_message_without_remote_pictures_has_no_notice(environment: Environment) -> None:
    message = make_message(make_row())
    page = _PAGES["message"]
    assert parse(environment, page, message=message, blocked_images=1).css(".notice")
    assert not parse(environment, page, message=message, blocked_images=0).css(".notice")


def test_body_is_the_sanitised_html_and_runs_nothing(environment: Environment) -> None:
    html = environment.get_template("messages/body.html").render(html="<p>Hello</p>")
    tree = LexborHTMLParser(html)
    assert tree.css_first("body p").text() == "Hello"
    assert tree.css_first("base").attributes == {"target": "_blank"}
    assert not tree.css("script, link")


def test_rail_shows_the_inbox_only_when_signed_in(environment: Environment) -> None:
    assert not parse(environment, _PAGES["temporary"]).css(".rail nav, [action='/sign-out']")
    tree = parse(environment, _PAGES["inbox"])
    assert tree.css_first(".rail nav a").attributes["aria-current"] == "page"
    assert tree.css_first("[action='/sign-out'] [name=csrf_token]").attributes["value"] == "proof"


def test_problem_says_what_when_to_try_again(environment: Environment) -> None:
    texts = {
        status: parse(environment, _PAGES[f"error {status}"]).css_first("main").text()
        for status in (400, 403, 404, 405, 429, 500, 502, 503)
    }
    assert "Try again in 2 minutes." in texts[429]
    assert all(f"Error {status}" in text for status, text in texts.items())
    assert len({text.replace(str(status), "") for status, text in texts.items()}) == 6


def test_time_left_is_also_there_for_programs(environment: Environment) -> None:
    time = parse(environment, _PAGES["temporary"]).css_first("time[data-left]")
    assert time.text() == "58 minutes left"
    assert (time.attributes["datetime"] or "") > NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
