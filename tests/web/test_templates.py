"""What every page keeps to, and what the single ones show."""

import re
from collections import Counter
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from jinja2 import Environment
from page_samples import (
    ASSETS,
    EMPTY_VIEWS,
    INBOX,
    LABELS,
    NOW,
    FixedClock,
    Page,
    make_pages,
    make_row,
)
from selectolax.lexbor import LexborHTMLParser, LexborNode

from app.inbox.sidebar import Counts
from app.inbox.view import View
from app.web.pages.actions import Notice
from app.web.rendering import TEMPLATE_FOLDER, create_environment

_PAGES = {page.name: page for page in make_pages()}


@pytest.fixture(scope="module")
def environment() -> Environment:
    return create_environment(FixedClock(), ASSETS)


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
    # The page of all parts has a test of its own.
    bases = {"layout.html", "messages/list.html", "messages/body.html", "design/index.html"}
    files = {str(file.relative_to(TEMPLATE_FOLDER)) for file in TEMPLATE_FOLDER.rglob("*.html")}
    files = {name for name in files if not name.startswith("email/")}
    pages = {name for name in files if not name.rpartition("/")[2].startswith("_")}
    assert pages - bases == {page.template for page in _PAGES.values()}


def test_page_needs_no_script_or_style_in_itself(environment: Environment, page: Page) -> None:
    tree = parse(environment, page)
    assert not tree.css("style, [style], a[href^='javascript:']")
    loader = (TEMPLATE_FOLDER / "scripts.js").read_text().removesuffix("\n")
    assert all(script.text() == loader for script in tree.css("script"))
    assert not [name for _, name, _ in attributes(tree) if re.match(r"on|hx-on|hx-vals", name)]


def test_page_asks_no_other_host(environment: Environment, page: Page) -> None:
    """But for the links by which one leaves for one's provider, and which do not say whence."""
    links = [
        value
        for node, name, value in attributes(parse(environment, page))
        if name in ("href", "src", "action", "hx-get", "hx-sse:connect")
        and (node.tag, node.attributes.get("rel")) != ("a", "noreferrer")
    ]
    assert links
    assert [link for link in links if not link.startswith(("/", "#")) or link[:2] == "//"] == []


def test_page_shows_only_files_that_exist(environment: Environment, page: Page) -> None:
    values = [value for _, _, value in attributes(parse(environment, page))]
    links = [urlsplit(part) for value in values for part in value.split()]
    static = [link for link in links if link.path.startswith("/static/")]
    assert static
    for link in static:
        assert ASSETS.url(link.path.removeprefix("/static/")) == f"{link.path}?{link.query}"


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


def test_page_asks_for_two_scripts_and_its_style(environment: Environment, page: Page) -> None:
    tree = parse(environment, page)
    scripts = [script.attributes["data-scripts"] for script in tree.css("script")]
    assert scripts == [f"{ASSETS.url('htmx.js')} {ASSETS.url('app.js')}"]
    styles = ["style.css", "api.css"] if page.template == "api/docs.html" else ["style.css"]
    assert [link.attributes["href"] for link in tree.css("[rel=stylesheet]")] == [
        ASSETS.url(name) for name in styles
    ]


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
    assert tree.css_first("li").attributes["class"] == "row unread filed"
    assert tree.css_first("li a").attributes["href"] == f"/t/tok/m/{row.id}"
    assert tree.css_first("#count").text() == "3 messages"
    tree = LexborHTMLParser(arrival.render(row=row, base_url="/inbox", counts=Counts(1000)))
    assert tree.css_first("#unread-count[hx-swap-oob]").text() == "999+"
    assert not tree.css("#count")


def test_change_is_the_row_or_its_end(environment: Environment) -> None:
    row = make_row(is_read=True)
    change = environment.get_template("messages/_change.html")
    values = {"base_url": "/inbox", "message_id": row.id, "counts": Counts(0)}
    tree = LexborHTMLParser(change.render(row=row, **values))
    assert tree.css_first("li").attributes["class"] == "row filed"
    assert tree.css_first("#unread-count").text() == ""
    tree = LexborHTMLParser(change.render(row=None, **values))
    assert tree.css_first("li").attributes == {"id": f"m-{row.id}", "hx-swap-oob": "delete"}


@pytest.mark.parametrize("undo_id", [UUID(int=5), None])
def test_action_answers_with_rows_and_the_way_back(
    undo_id: UUID | None, environment: Environment
) -> None:
    changes = environment.get_template("messages/_changes.html")
    html = changes.render(
        rows=[make_row()],
        gone=[UUID(int=1), UUID(int=2)],
        notice=Notice("2 messages archived.", undo_id),
        counts=Counts(3),
        base_url="/inbox",
        csrf_token="proof",
        may_write=True,
        view=View(folder="archive"),
    )
    tree = LexborHTMLParser(html)
    assert len(tree.css("li.row")) == 1
    assert len(tree.css("li[hx-swap-oob=delete]")) == 2
    toast = tree.css_first("[hx-swap-oob='innerHTML:#toasts'] .toast")
    assert "2 messages archived." in toast.text()
    undo = toast.css_first(f"form[action='/inbox/undo/{UUID(int=5)}'][method=post]")
    assert bool(undo) is bool(undo_id)
    assert not undo or undo.css_matches("[name=back][value='folder=archive']")


def test_one_row_costs_at_most_two_kilobytes_to_tell(environment: Environment) -> None:
    arrival = environment.get_template("messages/_arrival.html")
    row = make_row(labels=LABELS[:2])
    html = arrival.render(row=row, base_url="/inbox", counts=Counts(7), view=View(folder="inbox"))
    assert len(html.encode()) < 1200


def test_row_names_its_mailbox_where_there_are_several(environment: Environment) -> None:
    assert not parse(environment, _PAGES["temporary"]).css(".mailbox")
    tree = parse(environment, _PAGES["inbox"])
    assert tree.css(".row .mailbox")[1].text() == "support@acme.example"
    assert tree.css("section.several")
    assert not parse(environment, _PAGES["inbox, one mailbox"]).css("section.several")


def test_row_of_ones_own_mail_can_be_selected_and_starred(environment: Environment) -> None:
    rows = [make_row(is_starred=False), make_row(is_starred=True)]
    tree = parse(environment, _PAGES["inbox"], rows=rows)
    for row, name in zip(rows, ("star", "unstar"), strict=True):
        node = tree.css_first(f"form[action='/inbox/actions'] #m-{row.id}")
        assert node.css_matches(f"[type=checkbox][name=ids][value='{row.id}']")
        assert node.css_matches(f"button[name={name}][value='{row.id}']")
    assert not parse(environment, _PAGES["temporary"]).css(".row input, .row button")


def test_who_may_only_read_is_offered_nothing_else(environment: Environment) -> None:
    """Selecting stays, as what is selected can be downloaded."""
    for name in ("inbox", "inbox, one mailbox"):
        tree = parse(environment, _PAGES[name], rows=[make_row()], may_write=False)
        assert tree.css(".row [name=ids]")
        assert not tree.css(".row button")
        buttons = tree.css(".toolbar button[name], .toolbar button[formaction]")
        assert [button.attributes["formaction"] for button in buttons] == ["/inbox/raw-zip"]
    assert parse(environment, _PAGES["message, text"]).css("form.one")
    assert not parse(environment, _PAGES["message, text"], may_write=False).css("form.one")


def test_row_opens_within_the_view_it_is_listed_in(environment: Environment) -> None:
    row = make_row()
    tree = parse(environment, _PAGES["inbox, empty Starred"], rows=[row])
    assert tree.css_first(".row a").attributes["href"] == f"/inbox/m/{row.id}?starred=1"
    tree = parse(environment, _PAGES["inbox"], rows=[row])
    assert tree.css_first(".row a").attributes["href"] == f"/inbox/m/{row.id}"


def test_row_is_light(environment: Environment) -> None:
    rows = [make_row(subject="s" * 40, snippet="w" * 120) for _ in range(50)]
    page = _PAGES["inbox"]
    html = environment.get_template("messages/_rows.html").render({**page.context, "rows": rows})
    assert len(html.encode()) / 50 < 900


def test_toolbar_offers_what_can_be_done_where_one_is(environment: Environment) -> None:
    def offered(name: str) -> set[str]:
        buttons = parse(environment, _PAGES[name]).css(".toolbar [name=action]")
        return {button.attributes["value"] or "" for button in buttons}

    always = {"read", "unread", "star", "label", "unlabel"}
    assert offered("inbox") == always | {"archive", "spam", "trash"}
    assert offered("inbox, empty Archive") == always | {"inbox", "spam", "trash"}
    assert offered("inbox, empty Spam") == always | {"not_spam", "trash"}
    assert offered("inbox, empty Trash") == always | {"inbox"}
    assert offered("inbox, empty Starred") == always | {"archive", "spam", "trash"}
    for name in ("inbox", "inbox, older"):
        tree = parse(environment, _PAGES[name])
        assert tree.css(".toolbar button[formaction='/inbox/raw-zip']")


def test_folders_lead_to_every_view_and_keep_the_mailbox(environment: Environment) -> None:
    mailbox = f"mailbox={UUID(int=7)}"
    tree = parse(environment, _PAGES["inbox, one mailbox"])
    links = {link.text(strip=True): link for link in tree.css("#folders a")}
    assert links["Archive"].attributes["href"] == f"/inbox?{mailbox}&folder=archive"
    assert links["Starred"].attributes["href"] == f"/inbox?{mailbox}&starred=1"
    assert links["Bills"].attributes["href"] == f"/inbox?{mailbox}&label={UUID(int=11)}"
    assert links["All mailboxes"].attributes["href"] == "/inbox"
    assert links["sales@acme.example"].attributes["href"] == f"/inbox?mailbox={UUID(int=9)}"
    assert not parse(environment, _PAGES["inbox, older"]).css("#folders [href*=mailbox]")


@pytest.mark.parametrize("name", EMPTY_VIEWS)
def test_folders_show_where_one_is_and_the_list_why_it_is_empty(
    name: str, environment: Environment
) -> None:
    tree = parse(environment, _PAGES[f"inbox, empty {name}"])
    current = [link.text(strip=True) for link in tree.css("#folders [aria-current=page]")]
    assert current == (["Inbox"] if name == "Unread" else [name])
    others = [_PAGES[f"inbox, empty {other}"] for other in EMPTY_VIEWS if other != name]
    said = tree.css_first(".empty").text(strip=True)
    assert len(said) > 30
    same = {parse(environment, page).css_first(".empty").text(strip=True) for page in others}
    assert said not in same or name in ("Inbox", "All mail")


def test_notice_can_be_taken_back_without_script(environment: Environment) -> None:
    toast = parse(environment, _PAGES["inbox, one mailbox"]).css_first("#toasts .toast")
    assert "3 messages archived." in toast.text()
    assert toast.css_matches(f"form[action='/inbox/undo/{UUID(int=21)}'] [name=csrf_token]")
    assert not parse(environment, _PAGES["inbox, older"]).css("#toasts form")


def test_page_takes_the_theme_that_was_chosen(environment: Environment) -> None:
    for theme, expected in (("dark", "dark"), ("light", "light"), ('"><b>', None), ("", None)):
        request = SimpleNamespace(cookies={"theme": theme} if theme else {}, scope={})
        tree = parse(environment, _PAGES["start"], request=request)
        assert tree.css_first("html").attributes.get("data-theme") == expected


def test_row_of_a_bare_message_still_says_something(environment: Environment) -> None:
    bare = make_row(from_name="", from_address="", subject="", snippet="", attachment_count=0)
    page = _PAGES["temporary"]
    row = parse(environment, page, rows=[bare]).css_first(".row")
    assert "Unknown sender" in row.text()
    assert "No subject" in row.text()
    assert not row.css(".clip")


def test_message_frame_may_open_links_and_nothing_else(environment: Environment) -> None:
    for name in ("message", "message, large"):
        frame = parse(environment, _PAGES[name]).css_first("iframe")
        assert frame.attributes["sandbox"] == "allow-popups allow-popups-to-escape-sandbox"
        assert ("src" in frame.attributes) is (name == "message, large")
    assert (frame.attributes["src"] or "").endswith("/body")


def test_message_has_its_document_within_the_page(environment: Environment) -> None:
    page = _PAGES["message"]
    frame = parse(environment, page).css_first("iframe")
    body = environment.get_template("messages/body.html").render(page.context)
    assert frame.attributes["srcdoc"] == body


def test_message_alone_is_what_its_page_shows(environment: Environment) -> None:
    page = _PAGES["message, text"]
    alone = environment.get_template("messages/_message.html")
    assert alone.render(page.context).strip() in render(environment, page)
    fragment = alone.render({**page.context, "is_fragment": True})
    title = LexborHTMLParser(fragment).css_first("title").text()
    assert title == parse(environment, page).css_first("title").text()


def test_message_says_which_attachments_are_dangerous(environment: Environment) -> None:
    items = parse(environment, _PAGES["message"]).css(".attachments li")
    assert [item.css_first(".careful") is not None for item in items] == [False, True, True]
    assert "Careful: a program" in items[1].text()


def test_message_offers_the_views_it_has(environment: Environment) -> None:
    def views(name: str) -> list[str]:
        return [link.text(strip=True) for link in parse(environment, _PAGES[name]).css(".tabs a")]

    assert views("message")[:3] == ["Message", "Text", "Headers"]
    assert views("message, bare")[:2] == ["Text", "Headers"]


def test_message_links_to_its_neighbours_and_back(environment: Environment) -> None:
    page = _PAGES["message, text"]
    links = {link.attributes["data-key"]: link for link in parse(environment, page).css(".steps a")}
    message = page.context["message"]
    query = "?folder=archive"
    assert links["o"].attributes["href"] == f"/inbox{query}#m-{message.id}"
    assert links["k"].attributes["href"] == f"/inbox/m/{page.context['previous_id']}{query}"
    assert links["j"].attributes["href"] == f"/inbox/m/{page.context['next_id']}{query}"


def test_message_without_remote_pictures_has_no_notice(environment: Environment) -> None:
    samples = (("message", 1, "1 picture"), ("message", 3, "3 pictures"), ("message, large", 1, ""))
    for name, blocked, words in samples:
        page = _PAGES[name]
        notice = parse(environment, page, blocked_images=blocked).css_first(".notice")
        assert notice.text(strip=True).startswith(words or "Pictures")
        assert (notice.css_first("a").attributes["href"] or "").endswith("?pictures=1")
    assert not parse(environment, page, blocked_images=0).css(".notice")


def test_body_is_the_sanitised_html_and_runs_nothing(environment: Environment) -> None:
    html = environment.get_template("messages/body.html").render(_PAGES["message"].context)
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
