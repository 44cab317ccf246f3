"""The page that answers "why was my mail refused?"."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from selectolax.lexbor import LexborHTMLParser

from app.assembly import Services
from app.directory.bootstrap import ensure_tenant
from app.inbound.smtpd import replies
from app.inbound.smtpd.replies import Reply
from app.inbox.refused import list_refused
from app.storage.refused_mail import RefusedMail
from app.web.refusal_wording import EXPLAINED_CAUSES, explain_refusal


async def sign_in(services: Services, web: httpx.AsyncClient) -> UUID:
    tenant = await ensure_tenant(services.tenants, "First", "enterprise")
    await services.domains.add("example.test", tenant.id, vouched=True)
    user = await services.users.add("ada@example.test", tenant.id, "viewer")
    link = await services.sign_in.create_link(user.id)
    assert (await web.post(f"/sign-in/{link}")).status_code == 303
    return tenant.id


async def refuse(services: Services, *changes: dict[str, Any]) -> None:
    reader = services.refused_mail_reader()
    reader.folder.write(
        [
            RefusedMail(
                **{
                    "id": services.ids.new(),
                    "trace_id": uuid4(),
                    "refused_at": services.clock.now(),
                    "client_address": "192.0.2.1",
                    "client_name": "mail.sender.test",
                    "mail_from": "bob@sender.test",
                    "recipient": "nobody@example.test",
                    "code": 550,
                    "enhanced_code": "5.1.1",
                    "cause": "unknown_recipient",
                    "reply": "550 5.1.1 No such mailbox here",
                    **change,
                }
            )
            for change in changes
        ]
    )
    await reader.take_what_is_there()


async def recipients(web: httpx.AsyncClient, query: str = "") -> Sequence[str]:
    page = await web.get(f"/refusals{query}")
    assert page.status_code == 200, page.text
    items = LexborHTMLParser(page.text).css("li p bdi")
    return [item.text() for item in items if item.text().endswith("@example.test")]


async def test_page_says_in_words_why_what_to_do_and_what_was_said(
    services: Services, web: httpx.AsyncClient
) -> None:
    await sign_in(services, web)
    await refuse(services, {"sampled_out": 7})
    (item,) = LexborHTMLParser((await web.get("/refusals")).text).css("main li")
    text = re.sub(r"\s+", " ", item.text())
    assert "There is no such mailbox here." in text
    assert "From bob@sender.test to nobody@example.test" in text
    assert "look for a typing error" in text
    assert "We said 550 5.1.1 No such mailbox here to mail.sender.test (192.0.2.1)." in text
    assert "7 more refusals like this" in text
    assert item.css_first("time")


async def test_page_says_that_nothing_was_refused(
    services: Services, web: httpx.AsyncClient
) -> None:
    await sign_in(services, web)
    assert "Nothing was refused." in (await web.get("/refusals")).text
    page = (await web.get("/refusals?q=bob")).text
    assert "Nothing like that was refused." in page
    assert "Nothing was refused." not in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=bob", ["a"]),
        ("?q=BOB@Sender.test", ["a"]),
        ("?q=b@example.test", ["b"]),
        ("?q=other.test", ["b"]),
        ("?q=198.51.100.7", ["c"]),
        ("?q=mx.third.test", ["c"]),
        ("?q=sender.test+a@example", ["a"]),
        ("?q=%25", []),
        ("?q=b_b", []),
        ("?q=%00", ["a", "b", "c"]),
        ("?since=hour", ["a"]),
        ("?since=day", ["a", "b"]),
        ("?since=week&q=example.test", ["a", "b"]),
        ("?q=&since=", ["a", "b", "c"]),
    ],
)
async def test_search_finds_by_sender_recipient_domain_address_and_time(
    services: Services, web: httpx.AsyncClient, query: str, found: Sequence[str]
) -> None:
    await sign_in(services, web)
    now = services.clock.now()
    await refuse(
        services,
        {"recipient": "a@example.test"},
        {
            "recipient": "b@example.test",
            "mail_from": "eve@other.test",
            "client_name": "x",
            "refused_at": now - timedelta(hours=2),
        },
        {
            "recipient": "c@example.test",
            "mail_from": "",
            "client_name": "mx.third.test",
            "client_address": "198.51.100.7",
            "refused_at": now - timedelta(days=8),
        },
    )
    assert [each.partition("@")[0] for each in await recipients(web, query)] == found


async def test_pages_follow_each_other_without_a_gap(
    services: Services, web: httpx.AsyncClient
) -> None:
    await sign_in(services, web)
    await refuse(services, *({"recipient": f"n{number}@example.test"} for number in range(120)))
    seen: list[str] = []
    query = "?q=sender.test"
    while True:
        page = (await web.get(f"/refusals{query}")).text
        seen += re.findall(r"n\d+(?=@example\.test)", page)
        link = LexborHTMLParser(page).css_first(".more a")
        if link is None:
            break
        query = (link.attributes["href"] or "").removeprefix("/refusals")
        assert "q=sender.test" in query
    assert len(seen) == 120
    assert set(seen) == {f"n{number}" for number in range(120)}


async def test_further_rows_come_alone_when_htmx_asks(
    services: Services, web: httpx.AsyncClient
) -> None:
    await sign_in(services, web)
    await refuse(services, *({} for _ in range(51)))
    link = LexborHTMLParser((await web.get("/refusals")).text).css_first(".more a")
    rows = await web.get(link.attributes["hx-get"] or "", headers={"hx-request": "true"})
    assert "<html" not in rows.text
    assert rows.text.count("<li") == 1


async def test_other_tenants_see_nothing_of_it(services: Services, web: httpx.AsyncClient) -> None:
    other = await services.tenants.create("Other", "enterprise")
    await services.domains.add("other.test", other.id, vouched=True)
    await sign_in(services, web)
    await refuse(services, {"recipient": "x@other.test"})
    assert "other.test" not in (await web.get("/refusals")).text
    assert len((await list_refused(services.database, other.id)).rows) == 1


async def test_bad_questions_are_refused_with_words(
    services: Services, web: httpx.AsyncClient
) -> None:
    await sign_in(services, web)
    for query in ("?since=century", "?cursor=zz", f"?q={'x' * 501}"):
        assert (await web.get(f"/refusals{query}")).status_code == 400


async def test_page_asks_to_sign_in_first(web: httpx.AsyncClient) -> None:
    answer = await web.get("/refusals?q=bob")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=/refusals")


async def test_page_walks_an_index_and_sorts_nothing(
    services: Services, web: httpx.AsyncClient
) -> None:
    tenant_id = await sign_in(services, web)
    async with services.database.transaction() as connection:
        await connection.execute("set local enable_seqscan = off")
        plan = await connection.fetch(
            f"""explain select id from refused_mail where tenant_id = '{tenant_id}'
            and position('x' in lower(mail_from)) > 0
            order by refused_at desc, id desc limit 51"""
        )
    text = "\n".join(row[0] for row in plan)
    assert "refused_mail_tenant_id_refused_at" in text
    assert "Sort" not in text


def test_every_cause_of_a_refusal_is_explained_and_no_other() -> None:
    causes = {
        value.cause for value in vars(replies).values() if isinstance(value, Reply) and value.cause
    }
    assert causes == EXPLAINED_CAUSES


@pytest.mark.parametrize(
    "reply", [each for each in vars(replies).values() if isinstance(each, Reply) and each.cause]
)
def test_advice_fits_the_code(reply: Reply) -> None:
    """Whoever is told 4xx is not told to give up, and whoever is told 5xx not to wait."""
    advice = explain_refusal(reply.cause, is_temporary=reply.code < 500).advice
    if reply.code >= 500:
        assert "tries again by itself" not in advice


def test_unknown_cause_is_explained_by_its_code() -> None:
    assert "by itself" in explain_refusal("new", is_temporary=True).advice
    assert "by itself" not in explain_refusal("new", is_temporary=False).advice
