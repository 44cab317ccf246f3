"""Keyset pages: every message once, in order, wherever the pages are cut."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom import Mailroom

from app.core.errors import InvalidInput
from app.inbox.listing import EVERYTHING, Access, decode_cursor, list_messages, page_query


async def fill(mailroom: Mailroom, count: int) -> None:
    """Several messages share a time, so that the order has to fall back on ids."""
    other = await mailroom.add_mailbox("other@example.test")
    for number in range(count):
        address = (mailroom.mailbox, other)[number % 2].address
        await mailroom.spool(
            f"Subject: {number}\r\nMessage-ID: <{number}@x>\r\n\r\n".encode(), address
        )
    await mailroom.take_in()
    await mailroom.services.database.execute(
        "update message set received_at = date_trunc('hour', received_at) where random() < 0.5"
    )


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 200])
async def test_pages_hold_every_message_once_and_in_order(mailroom: Mailroom, limit: int) -> None:
    await fill(mailroom, 15)
    everything = Access(mailroom.mailbox.tenant_id)
    both = [
        row["id"]
        for row in await mailroom.services.database.fetch("select id from mailbox order by id")
    ]
    for access in (everything, Access(everything.tenant_id, both), everything.narrow(both[0])):
        found, cursor = [], None
        while True:
            page = await list_messages(
                mailroom.services.database, access, cursor=cursor, limit=limit
            )
            found += [(row.received_at, row.id) for row in page.rows]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == sorted(found, reverse=True)
        assert len(set(found)) == len(found) == (8 if access.mailbox_ids == (both[0],) else 15)


async def test_nothing_is_listed_when_no_mailbox_is_allowed(mailroom: Mailroom) -> None:
    await fill(mailroom, 2)
    none_allowed = Access(mailroom.mailbox.tenant_id, ())
    page = await list_messages(mailroom.services.database, none_allowed)
    assert page.rows == ()
    forbidden = none_allowed.narrow(mailroom.mailbox.id)
    assert (await list_messages(mailroom.services.database, forbidden)).rows == ()


async def test_list_walks_the_index_of_its_mailbox_however_deep_the_page(
    mailroom: Mailroom,
) -> None:
    await fill(mailroom, 10)
    (row, *_) = await mailroom.rows()
    access = Access(mailroom.mailbox.tenant_id, [mailroom.mailbox.id])
    for before in (None, (row.received_at, row.id)):
        sql, arguments = page_query(access, EVERYTHING, before, 50)
        plan = await mailroom.services.database.fetch(f"explain {sql}", *arguments)
        assert "Index Scan using message_by_mailbox" in "\n".join(line[0] for line in plan)


@given(st.text(max_size=80))
def test_cursor_is_refused_when_it_is_not_ours(text: str) -> None:
    try:
        moment, _ = decode_cursor(text)
        assert moment.utcoffset() == timedelta(0)
    except InvalidInput:
        pass
