"""A view shows what it names, as SQL and as Python, at the same cost however much there is."""

from collections.abc import Sequence
from itertools import product
from uuid import UUID, uuid4

import pytest
from mailroom import Mailroom

from app.inbox.listing import Access, find_rows, list_messages, page_query, shows
from app.inbox.view import ALL_MAIL, Folder, View

VIEWS = [
    View(folder=folder, starred=starred, unread=unread)
    for folder, starred, unread in product(("", ALL_MAIL, *Folder), (False, True), (False, True))
]


@pytest.fixture
async def arranged(mailroom: Mailroom) -> Mailroom:
    """A message for each combination of folder and flags, some with a label."""
    database = mailroom.services.database
    for number in range(len(Folder) * 4):
        await mailroom.spool(f"From: a@example.org\r\nSubject: {number}\r\n\r\nHello\r\n".encode())
    await mailroom.take_in()
    rows = await mailroom.rows()
    states = product(Folder, (False, True), (False, True))
    label_id = uuid4()
    await database.execute(
        "insert into label values ($1, $2, 'Bills', 'red', now())",
        label_id,
        mailroom.mailbox.tenant_id,
    )
    for row, (folder, is_read, is_starred) in zip(rows, states, strict=True):
        await database.execute(
            "update message set folder = $2, is_read = $3, is_starred = $4 where id = $1",
            *(row.id, folder.value, is_read, is_starred),
        )
        if not is_starred:
            await database.execute(
                "insert into message_label values ($1, $2, $3, $4, $5)",
                *(uuid4(), mailroom.mailbox.tenant_id, label_id, row.id, row.received_at),
            )
    return mailroom


async def listed(mailroom: Mailroom, access: Access, view: View) -> Sequence[UUID]:
    found: list[UUID] = []
    cursor: str | None = None
    while True:
        page = await list_messages(mailroom.services.database, access, view, cursor=cursor, limit=3)
        found += [row.id for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            return found


async def test_pages_hold_what_the_view_shows_for_every_view(arranged: Mailroom) -> None:
    everything = await arranged.rows()
    label_id = next(label.id for row in everything for label in row.labels)
    tenant = Access(arranged.mailbox.tenant_id)
    one = tenant.narrow(arranged.mailbox.id)
    for view in [*VIEWS, *(View(folder=v.folder, label_id=label_id) for v in VIEWS)]:
        wanted = [row.id for row in everything if shows(view, row)]
        assert await listed(arranged, tenant, view) == wanted, view
        assert await listed(arranged, one, view) == wanted, view


async def test_rows_tell_their_folder_flags_and_labels(arranged: Mailroom) -> None:
    rows = await arranged.rows()
    again = await find_rows(
        arranged.services.database, Access(arranged.mailbox.tenant_id), [row.id for row in rows]
    )
    assert sorted(again, key=lambda row: row.id) == sorted(rows, key=lambda row: row.id)
    assert {row.folder for row in rows} == set(Folder)
    assert {tuple(label.name for label in row.labels) for row in rows} == {(), ("Bills",)}


@pytest.mark.parametrize("folder", [*Folder, ""])
async def test_no_page_sorts_more_than_a_page_when_there_is_much_mail(
    arranged: Mailroom, folder: str
) -> None:
    database = arranged.services.database
    await database.execute(
        """insert into message select (json_populate_record(one, json_build_object(
            'id', gen_random_uuid(), 'fingerprint', '\\x' || md5(n::text),
            'received_at', received_at - n * interval '1 minute'))).*
        from (select message as one, received_at from message limit 1) as first,
            generate_series(1, 5000) as n"""
    )
    await database.execute("analyze message")
    for access in (
        Access(arranged.mailbox.tenant_id),
        Access(arranged.mailbox.tenant_id, [arranged.mailbox.id]),
    ):
        sql, arguments = page_query(access, View(folder=folder), None, 50)
        plan = "\n".join(row[0] for row in await database.fetch(f"explain {sql}", *arguments))
        assert "Seq Scan on message" not in plan, plan
        assert "message_by_" in plan, plan


@pytest.mark.parametrize("folder", ["inbox'; drop table message; --", "INBOX", "nowhere"])
def test_view_of_an_unknown_folder_has_no_condition(folder: str) -> None:
    with pytest.raises(ValueError, match="is not a valid Folder"):
        _ = View(folder=folder).condition
