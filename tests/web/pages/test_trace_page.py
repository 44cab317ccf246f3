"""The page that tells how a mail came here, and where it is offered."""

from dataclasses import dataclass

import httpx
import pytest
from mailroom import Mailroom
from selectolax.lexbor import LexborHTMLParser

MAIL = b"From: ada@example.org\r\nMessage-ID: <1@x>\r\nSubject: Hello\r\n\r\nHi\r\n"


@dataclass
class Reader:
    """Somebody who is signed in, and the mail that there is."""

    client: httpx.AsyncClient
    mailroom: Mailroom

    async def open(self, path: str) -> LexborHTMLParser:
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return LexborHTMLParser(answer.text)

    async def follow(self, path: str, words: str) -> tuple[str, LexborHTMLParser]:
        """Where the link of a page leads to that has these words."""
        page = await self.open(path)
        (link,) = [each for each in page.css("main a") if each.text(strip=True) == words]
        target = str(link.attributes["href"])
        return target, await self.open(target)


@pytest.fixture
async def reader(mailroom: Mailroom, web: httpx.AsyncClient) -> Reader:
    services = mailroom.services
    user = await services.users.add("ada@example.test", mailroom.mailbox.tenant_id, "admin")
    link = await services.sign_in.create_link(user.id)
    assert (await web.post(f"/sign-in/{link}")).status_code == 303
    return Reader(web, mailroom)


async def test_message_leads_to_its_way_and_back(reader: Reader) -> None:
    await reader.mailroom.spool(MAIL)
    await reader.mailroom.take_in()
    (row,) = await reader.mailroom.rows()
    _, page = await reader.follow(f"/inbox/m/{row.id}", "How it came here")
    assert page.css_first("h1").text() == "How it came here"
    steps = [each.text() for each in page.css(".trace .what")]
    assert steps[0] == "Safe on disk"
    assert "In box@example.test" in steps
    assert "Delivered." in page.css_first(".verdict").text()
    links = {each.attributes["href"] for each in page.css("main a")}
    assert f"/inbox/m/{row.id}" in links
    # The drawing is not all there is: each bar has its words, and a table stands behind it.
    assert len(page.css(".lasted svg")) == len(page.css(".lasted > span")) > 0
    assert len(page.css("main table tbody tr")) == len(steps)


async def test_held_back_item_leads_to_its_way(reader: Reader) -> None:
    metadata = await reader.mailroom.spool(MAIL, "nobody@example.test")
    await reader.mailroom.take_in()
    path, page = await reader.follow(f"/admin/quarantine/{metadata.item_id}", "How it came here")
    assert path == f"/trace/{metadata.trace_id}"
    assert "Held back" in page.css_first(".verdict").text()
    assert "No recipient has a mailbox." in page.css_first(".trace").text()


async def test_duplicate_leads_to_the_first(reader: Reader) -> None:
    first = await reader.mailroom.spool(MAIL)
    await reader.mailroom.take_in()
    second = await reader.mailroom.spool(MAIL)
    await reader.mailroom.take_in()
    there, page = await reader.follow(f"/trace/{second.trace_id}", "How that one came")
    assert there == f"/trace/{first.trace_id}"
    assert "The same message came again" in page.css_first(".trace").text()


async def test_what_does_not_exist_is_not_found(reader: Reader) -> None:
    answer = await reader.client.get("/trace/0198c5f2-7700-7000-8000-4b1d3a5c7e90")
    assert answer.status_code == 404


async def test_holder_of_a_temporary_inbox_is_not_offered_what_is_not_for_visitors(
    reader: Reader,
) -> None:
    services = reader.mailroom.services
    tenant = await services.tenants.create("Visitors", "temporary")
    await services.domains.add(services.settings.temporary_domain, tenant.id, vouched=True)
    inbox = await services.inboxes.create()
    await reader.mailroom.spool(MAIL, inbox.address)
    await reader.mailroom.take_in()
    reader.client.cookies.clear()
    page = await reader.open(f"/t/{inbox.token}")
    (link,) = [each.attributes["href"] for each in page.css(".row > a")]
    assert "How it came here" not in (await reader.open(str(link))).text()
