"""The search page as a person meets it: marked hits, what was understood, and searches kept."""

import re
from email.header import Header
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest
from mailroom import Mailroom
from selectolax.lexbor import LexborHTMLParser

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


async def receive(
    mailroom: Mailroom, *, subject: str = "Hi", text: str = "", sender: str = ""
) -> None:
    head = (
        f"From: {sender or 'Ada <ada@x.test>'}\r\nSubject: {Header(subject, 'utf-8').encode()}\r\n"
        f"Message-ID: <{uuid4()}@x.test>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    )
    await mailroom.spool(head.encode() + text.encode() + b"\r\n")


async def index(mailroom: Mailroom) -> None:
    """Takes in what was received and indexes it, as the processes do."""
    await mailroom.take_in()
    indexer = mailroom.services.indexer()
    await indexer.handle(await mailroom.events(*indexer.types))


async def sign_in(
    mailroom: Mailroom, web: httpx.AsyncClient, email: str = "u@example.test"
) -> None:
    services = mailroom.services
    user = await services.users.add(email, mailroom.mailbox.tenant_id, "owner")
    web.cookies.clear()
    await web.post(f"/sign-in/{await services.sign_in.create_link(user.id)}")


@pytest.fixture
async def signed_in(mailroom: Mailroom, web: httpx.AsyncClient) -> httpx.AsyncClient:
    await sign_in(mailroom, web)
    return web


async def show(web: httpx.AsyncClient, q: str = "", **more: str) -> LexborHTMLParser:
    answer = await web.get("/search", params={"q": q, **more})
    assert answer.status_code == 200, answer.text
    return LexborHTMLParser(answer.text)


def texts(page: LexborHTMLParser, selector: str) -> list[str]:
    return [" ".join(node.text().split()) for node in page.css(selector)]


async def test_words_found_are_marked_in_subject_sender_and_the_text_around_them(
    mailroom: Mailroom, signed_in: httpx.AsyncClient
) -> None:
    long = "nothing to see " * 60
    await receive(mailroom, subject="The Needle", text=f"{long}a needle here {long}")
    await receive(mailroom, sender="Needle Inc <n@x.test>", text="hay")
    await receive(mailroom, subject="Other", text="hay")
    await index(mailroom)
    page = await show(signed_in, "needle")
    assert texts(page, ".row .subject mark") == ["Needle"]
    assert texts(page, ".row .from mark") == ["Needle"]
    assert texts(page, ".row .snippet mark") == ["needle"]
    assert len(page.css(".row")) == 2
    assert texts(page, ".chip") == ["“needle”"]
    assert (page.css_first("[name=q]").attributes["value"] or "") == "needle"


async def test_page_says_how_it_understood_what_was_asked(
    mailroom: Mailroom, signed_in: httpx.AsyncClient
) -> None:
    page = await show(signed_in, "from:ada@x.test has:attachment is:unread larger:huge")
    assert texts(page, ".chip") == ["from ada@x.test", "has attachment", "unread"]
    assert len(page.css(".note")) == 1
    assert not page.css(".row")
    assert "Nothing was found." in page.css_first(".empty").text()


async def test_empty_box_shows_examples_and_what_was_kept(
    mailroom: Mailroom, signed_in: httpx.AsyncClient
) -> None:
    page = await show(signed_in)
    assert len(page.css(".examples a")) >= 5
    assert not page.css(".row, .list")
    for link in page.css(".examples a"):
        query = parse_qs(urlsplit(link.attributes["href"] or "").query)["q"][0]
        example = await show(signed_in, query)
        assert not example.css(".note")
        assert example.css(".chip")


async def test_further_hits_are_asked_for_with_a_link_that_keeps_the_query(
    mailroom: Mailroom, signed_in: httpx.AsyncClient
) -> None:
    for number in range(70):
        await receive(mailroom, subject=f"mail {number}", text="a & b needle")
    await index(mailroom)
    query = 'needle "a & b" -absent'
    page = await show(signed_in, query, mailbox=str(mailroom.mailbox.id))
    more = page.css_first(".more a").attributes["href"] or ""
    assert parse_qs(urlsplit(more).query)["q"] == [query]
    whole = LexborHTMLParser((await signed_in.get(more)).text)
    part = LexborHTMLParser((await signed_in.get(more, headers={"hx-request": "true"})).text)
    assert part.css_first(".rail") is None
    assert whole.css_first(".rail")
    for rest in (whole, part):
        ids = [row.attributes["id"] for row in (*page.css(".row"), *rest.css(".row"))]
        assert len(ids) == len(set(ids)) == 70


async def test_nothing_of_a_mail_becomes_markup_in_the_results(
    mailroom: Mailroom, signed_in: httpx.AsyncClient
) -> None:
    await receive(
        mailroom,
        subject=HOSTILE,
        text=f"needle {HOSTILE}",
        sender=f"=?utf-8?q?{_q(HOSTILE)}?= <h@x.test>",
    )
    await index(mailroom)
    for query in ("needle", "script", "alert", "img", "subject:onerror", 'from:"src"'):
        page = await show(signed_in, query)
        row = page.css_first(".row")
        assert row.css(".subject")
        assert not row.css("script, img, [onerror]")
        assert "<script>" in row.css_first(".subject").text()


def _q(text: str) -> str:
    return "".join(f"={byte:02X}" for byte in text.encode())


@pytest.mark.parametrize(
    "query",
    [
        *(HOSTILE, f"from:{HOSTILE}", f"label:{HOSTILE}", "'; drop table message; --"),
        *("((((", '"', "* *", "\x00", "a" * 4000, "{{ 7 * 7 }}", "%", "\u202e"),
        "in:anywhere -in:anywhere",
    ],
)
async def test_hostile_query_does_nothing(
    mailroom: Mailroom, signed_in: httpx.AsyncClient, query: str
) -> None:
    page = await show(signed_in, query)
    assert not page.css("main script, main img, [onerror]")
    suggested = await signed_in.get("/search/suggest", params={"q": query})
    assert suggested.status_code == 200
    assert not LexborHTMLParser(suggested.text).css("script, img, [onerror]")


async def test_cursor_or_mailbox_that_is_not_ours_is_refused(
    mailroom: Mailroom, signed_in: httpx.AsyncClient
) -> None:
    for query, status in (
        ({"q": "a", "cursor": "nonsense"}, 400),
        ({"q": "a", "mailbox": str(uuid4())}, 404),
        ({"q": "a", "mailbox": "x"}, 400),
        ({"q": "a" * 5000}, 400),
    ):
        answer = await signed_in.get("/search", params=query)
        assert answer.status_code == status, query
        assert "<h1>" in answer.text


async def test_only_one_mailbox_is_searched_when_it_is_named(
    mailroom: Mailroom, signed_in: httpx.AsyncClient
) -> None:
    other = await mailroom.add_mailbox("other@example.test")
    await receive(mailroom, subject="needle")
    await index(mailroom)
    assert len((await show(signed_in, "needle")).css(".row")) == 1
    page = await show(signed_in, "needle", mailbox=str(other.id))
    assert not page.css(".row")
    assert "only other@example.test" in texts(page, ".chip")[0]
    assert page.css_first("input[name=mailbox]").attributes["value"] == str(other.id)


async def test_another_tenant_sees_nothing(mailroom: Mailroom, web: httpx.AsyncClient) -> None:
    await receive(mailroom, subject="needle", sender="Needle <needle@x.test>")
    await index(mailroom)
    services = mailroom.services
    other = await services.tenants.create("Other", "developer")
    user = await services.users.add("spy@other.test", other.id, "owner")
    await web.post(f"/sign-in/{await services.sign_in.create_link(user.id)}")
    for query in ("needle", "from:needle@x.test", "is:unread", "in:anywhere"):
        assert not (await show(web, query)).css(".row")
    answer = await web.get("/search", params={"q": "a", "mailbox": str(mailroom.mailbox.id)})
    assert answer.status_code == 404
    for typed in ("need", "from:need", "to:bo", "box"):
        suggested = await web.get("/search/suggest", params={"q": typed})
        assert "x.test" not in suggested.text
        assert "example.test" not in suggested.text


async def test_signed_out_are_sent_away(mailroom: Mailroom, web: httpx.AsyncClient) -> None:
    for path in ("/search?q=a", "/search/suggest?q=a"):
        assert (await web.get(path)).status_code == 303


async def test_suggestions_are_options_that_know_their_query(
    mailroom: Mailroom, signed_in: httpx.AsyncClient
) -> None:
    await receive(mailroom, sender="Ada Lovelace <ada@x.test>")
    await index(mailroom)
    answer = await signed_in.get("/search/suggest", params={"q": "is:unread ad"})
    options = LexborHTMLParser(answer.text).css("[role=option]")
    assert [option.attributes["data-query"] for option in options] == ["is:unread from:ada@x.test"]
    assert "data-goes-on" not in options[0].attributes
    answer = await signed_in.get("/search/suggest", params={"q": "fro"})
    assert "data-goes-on" in LexborHTMLParser(answer.text).css("[role=option]")[0].attributes


async def test_search_is_kept_shown_and_deleted(
    mailroom: Mailroom, signed_in: httpx.AsyncClient
) -> None:
    page = await show(signed_in, "is:unread needle")
    form = page.css_first("form[action='/search/saved']")
    fields = {
        field.attributes["name"]: field.attributes.get("value") for field in form.css("input")
    }
    assert (
        await signed_in.post("/search/saved", data={**fields, "csrf_token": ""})
    ).status_code == 403
    kept = await signed_in.post("/search/saved", data={**fields, "name": HOSTILE})
    assert kept.status_code == 303
    page = await show(signed_in, "is:unread needle")
    assert not page.css("form[action='/search/saved']")
    page = await show(signed_in)
    assert not page.css("main script, main img")
    assert parse_qs(urlsplit(page.css_first(".saved a").attributes["href"] or "").query) == {
        "q": ["is:unread needle"]
    }
    gone = page.css_first(".saved form")
    action, token = gone.attributes["action"], gone.css_first("input").attributes["value"]
    assert (await signed_in.post(action, data={})).status_code == 403
    await sign_in(mailroom, signed_in, "other@example.test")
    others = await show(signed_in)
    assert not others.css(".saved")
    stranger = re.search(r'name="csrf_token" value="([^"]+)"', others.html or "")
    assert stranger
    assert (await signed_in.post(action, data={"csrf_token": stranger[1]})).status_code == 404
    await sign_in(mailroom, signed_in)
    token = (await show(signed_in)).css_first(".saved form input").attributes["value"]
    assert (await signed_in.post(action, data={"csrf_token": token})).status_code == 303
    assert not (await show(signed_in)).css(".saved")


@pytest.mark.parametrize(
    "fields", [{"query": ""}, {"query": "x" * 2000}, {"query": "a", "name": "n" * 99}, {}]
)
async def test_search_that_cannot_be_kept_is_refused(
    mailroom: Mailroom, signed_in: httpx.AsyncClient, fields: dict[str, str]
) -> None:
    page = await show(signed_in, "a")
    token = page.css_first("input[name=csrf_token]").attributes["value"]
    answer = await signed_in.post("/search/saved", data={**fields, "csrf_token": token})
    assert answer.status_code == 400
