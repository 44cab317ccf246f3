"""The signed-in list: its views, and what can be done to messages from it."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx
import pytest
from application import serving
from litestar import Request
from mailroom import Mailroom
from msgspec import structs

from app.eventlog.read import last_position
from app.inbox.listing import Access, MessageRow
from app.inbox.sidebar import Counts
from app.inbox.view import Folder, View
from app.main import web_application
from app.web.assets import STATIC_FOLDER, Assets
from app.web.pages.lists import ListPages
from app.web.rendering import create_environment


@dataclass
class SignedIn:
    """A browser of somebody who is signed in, and the mail that there is."""

    client: httpx.AsyncClient
    mailroom: Mailroom

    async def page(self, path: str = "/inbox", **headers: str) -> str:
        answer = await self.client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def subjects(self, path: str = "/inbox") -> Sequence[str]:
        return re.findall(r'class="subject">([^<]*)<', await self.page(path))

    async def post(self, path: str, htmx: bool = False, **form: object) -> httpx.Response:
        token = re.search(r'name="csrf_token" value="([^"]+)"', await self.page())
        assert token
        return await self.client.post(
            path,
            data={"csrf_token": token[1], **form},
            headers={"hx-request": "true"} if htmx else {},
        )

    async def act(self, action: str, rows: Sequence[MessageRow], **more: object) -> httpx.Response:
        ids = [str(row.id) for row in rows]
        return await self.post("/inbox/actions", action=action, ids=ids, **more)


@pytest.fixture
async def signed_in(mailroom: Mailroom) -> AsyncIterator[SignedIn]:
    services = mailroom.services
    user = await services.users.add("a@example.test", mailroom.mailbox.tenant_id, "agent")
    link = await services.sign_in.create_link(user.id)
    for number in range(3):
        await mailroom.spool(f"From: a@example.org\r\nSubject: s{number}\r\n\r\nHi\r\n".encode())
    await mailroom.take_in()
    async with serving(web_application(services)) as client:
        assert (await client.post(f"/sign-in/{link}")).status_code == 303
        yield SignedIn(client, mailroom)


async def test_list_shows_what_lies_in_each_folder(signed_in: SignedIn) -> None:
    rows = await signed_in.mailroom.rows()
    moved = {"archive": rows[0], "spam": rows[1], "trash": rows[2]}
    assert await signed_in.subjects() == ["s2", "s1", "s0"]
    for action, row in moved.items():
        assert (await signed_in.act(action, [row])).status_code == 303
    assert await signed_in.subjects() == []
    for folder, row in moved.items():
        assert await signed_in.subjects(f"/inbox?folder={folder}") == [row.subject]
    assert await signed_in.subjects("/inbox?folder=all") == [rows[0].subject]


async def test_star_unread_label_and_mailbox_narrow_the_list(signed_in: SignedIn) -> None:
    rows = await signed_in.mailroom.rows()
    await signed_in.post("/inbox/actions", star=str(rows[0].id))
    await signed_in.act("read", rows[:2])
    await signed_in.act("label", rows[1:], name="Bills & more")
    labels = await signed_in.mailroom.services.database.fetch("select id, name from label")
    assert [label["name"] for label in labels] == ["Bills & more"]
    assert await signed_in.subjects("/inbox?starred=1") == ["s2"]
    assert await signed_in.subjects("/inbox?unread=1") == ["s0"]
    assert await signed_in.subjects(f"/inbox?label={labels[0]['id']}") == ["s1", "s0"]
    other = await signed_in.mailroom.add_mailbox("other@example.test")
    assert await signed_in.subjects(f"/inbox?mailbox={other.id}") == []
    own = signed_in.mailroom.mailbox.id
    assert await signed_in.subjects(f"/inbox?mailbox={own}") == ["s2", "s1", "s0"]
    await signed_in.act("unlabel", rows[1:2], label_id=str(labels[0]["id"]))
    assert await signed_in.subjects(f"/inbox?label={labels[0]['id']}") == ["s0"]


async def test_form_comes_back_to_its_list_with_a_way_to_undo(signed_in: SignedIn) -> None:
    rows = await signed_in.mailroom.rows()
    answer = await signed_in.act("archive", rows[:2], back="folder=all")
    assert answer.status_code == 303
    location = answer.headers["location"]
    assert location.startswith("/inbox?folder=all&done=archive&changed=2&undo=")
    page = await signed_in.page(location)
    assert "2 messages archived." in page
    undo = re.search(r'action="(/inbox/undo/[^"]+)"', page)
    assert undo
    answer = await signed_in.post(undo[1], back="folder=all")
    assert answer.headers["location"] == "/inbox?folder=all&done=undone&changed=2"
    assert await signed_in.subjects() == ["s2", "s1", "s0"]
    assert (await signed_in.post(undo[1])).status_code == 404


async def test_htmx_is_sent_the_rows_that_changed_the_counter_and_undo(
    signed_in: SignedIn,
) -> None:
    rows = await signed_in.mailroom.rows()
    ids = [str(row.id) for row in rows[:2]]
    answer = await signed_in.post("/inbox/actions", htmx=True, action="archive", ids=ids)
    assert answer.status_code == 200
    assert answer.text.count('hx-swap-oob="delete"') == 2
    assert "2 messages archived." in answer.text
    assert re.search(r'id="unread-count"[^>]*>1<', answer.text)
    undo = re.search(r'action="(/inbox/undo/[^"]+)"', answer.text)
    assert undo
    answer = await signed_in.post(undo[1], htmx=True)
    assert re.findall(r'class="subject">([^<]*)<', answer.text) == ["s2", "s1", "s0"]
    answer = await signed_in.post("/inbox/actions", htmx=True, star=ids[0])
    assert re.findall(r'class="subject">([^<]*)<', answer.text) == ["s2"]
    assert 'hx-swap-oob="delete"' not in answer.text


async def test_change_without_the_token_of_the_form_is_refused(signed_in: SignedIn) -> None:
    rows = await signed_in.mailroom.rows()
    for token in ("", "x", "é", "A" * 200):
        answer = await signed_in.client.post(
            "/inbox/actions",
            data={"csrf_token": token, "action": "trash", "ids": [str(rows[0].id)]},
        )
        assert answer.status_code == 403
    assert len(await signed_in.subjects()) == 3


@pytest.mark.parametrize(
    "form",
    [
        {"action": "explode"},
        {"action": "archive", "ids": ["no-id"]},
        {"star": "no-id"},
        {"action": "label", "label_id": "no-id"},
        {"action": "label"},
        {"action": "archive", "back": "folder=nowhere"},
        {"action": "archive", "back": "mailbox=no-id"},
        {"action": "archive", "ids": [str(UUID(int=n)) for n in range(201)]},
    ],
)
async def test_form_that_makes_no_sense_changes_nothing(
    signed_in: SignedIn, form: dict[str, object]
) -> None:
    assert (await signed_in.post("/inbox/actions", **form)).status_code == 400
    assert len(await signed_in.subjects()) == 3


@pytest.mark.parametrize("query", ["folder=x", "mailbox=x", "label=x", "cursor=x"])
async def test_address_that_makes_no_sense_is_answered_plainly(
    signed_in: SignedIn, query: str
) -> None:
    assert (await signed_in.client.get(f"/inbox?{query}")).status_code == 400


@pytest.mark.parametrize("name", ["mailbox", "label"])
async def test_mailbox_or_label_of_nobody_is_not_found(signed_in: SignedIn, name: str) -> None:
    assert (await signed_in.client.get(f"/inbox?{name}={uuid4()}")).status_code == 404


async def test_notice_that_was_made_up_says_nothing(signed_in: SignedIn) -> None:
    for query in ("done=<b>&changed=1", "done=archive&changed=x", "done=archive&changed=-1"):
        assert "archived" not in await signed_in.page(f"/inbox?{query}")


async def test_open_list_is_told_of_what_changed_and_of_nothing_twice(
    signed_in: SignedIn,
) -> None:
    """From a position on, as a browser asks that comes back: each change once, in its order."""
    mailroom = signed_in.mailroom
    services = mailroom.services
    rows = await mailroom.rows()
    position = await last_position(services.database)
    await signed_in.act("archive", rows[:1])
    await signed_in.act("star", rows[1:2])
    lists = ListPages(
        services.database,
        services.feed,
        create_environment(services.clock, Assets.of(STATIC_FOLDER)),
    )
    access, view = Access(mailroom.mailbox.tenant_id), View(folder=Folder.INBOX)

    async def describe() -> Mapping[str, object]:
        return {"base_url": "/inbox", "counts": Counts(1), "view": view}

    async def follow(after: int, count: int) -> Sequence[str]:
        request = Request({"type": "http", "headers": []})
        told: list[str] = []
        async for chunk in lists.stream(request, access, view, after, describe).iterator:
            told += [chunk.decode()] if chunk.startswith(b"event:") else []
            if len(told) == count:
                break
        return told

    first = await follow(position, 2)
    assert f'id="m-{rows[0].id}" hx-swap-oob="delete"' in first[0]
    assert rows[1].subject in first[1]
    ids = [int(re.search(r"\nid: (\d+)", chunk)[1]) for chunk in first]  # type: ignore[index]
    assert ids == sorted(set(ids))
    await mailroom.spool(b"From: a@example.org\r\nSubject: new\r\n\r\nHi\r\n")
    await mailroom.take_in()
    (arrival,) = await follow(ids[-1], 1)
    assert ">new<" in arrival


async def test_label_goes_and_its_messages_stay_when_it_is_deleted(signed_in: SignedIn) -> None:
    rows = await signed_in.mailroom.rows()
    await signed_in.act("label", rows[:1], name="Bills")
    (label,) = (await signed_in.mailroom.rows())[0].labels
    other = await signed_in.mailroom.services.tenants.create("Other", "developer")
    theirs = await signed_in.mailroom.services.labels.ensure(other.id, "Theirs")
    assert (await signed_in.post(f"/inbox/labels/{theirs.id}/delete")).status_code == 404
    assert (await signed_in.client.post(f"/inbox/labels/{label.id}/delete")).status_code == 403
    assert (await signed_in.post(f"/inbox/labels/{label.id}/delete")).status_code == 303
    stayed = tuple(structs.replace(row, labels=()) for row in rows)
    assert await signed_in.mailroom.rows() == stayed
