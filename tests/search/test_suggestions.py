"""The last word in the box is completed from what the person may see, and from nothing else."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from mailroom import Mailroom

from app.inbox.listing import Access
from app.search.correspondents import Correspondents
from app.search.language import parse_query
from app.search.saved import SavedSearches
from app.search.suggestions import OPERATORS, Suggestions, split_last_word
from app.storage.db.database import Database


@pytest.fixture
def saved(mailroom: Mailroom) -> SavedSearches:
    services = mailroom.services
    return SavedSearches(services.database, services.clock, services.ids)


@pytest.fixture
def suggestions(mailroom: Mailroom, saved: SavedSearches) -> Suggestions:
    return Suggestions(mailroom.services.database, saved)


@pytest.fixture
def access(mailroom: Mailroom) -> Access:
    return Access(mailroom.mailbox.tenant_id)


@pytest.fixture
async def user_id(mailroom: Mailroom) -> UUID:
    services = mailroom.services
    user = await services.users.add("u@example.test", mailroom.mailbox.tenant_id, "owner")
    return user.id


async def receive(mailroom: Mailroom, sender: str, *recipients: str) -> None:
    """A message, with its sender remembered as the indexer does it."""
    data = f"From: {sender}\r\nSubject: x\r\nMessage-ID: <{uuid4()}@x>\r\n\r\nx\r\n"
    await mailroom.spool(data.encode(), *recipients)
    await mailroom.take_in()
    database = mailroom.services.database
    rows = await database.fetch("select id from message order by received_at desc, id desc limit 1")
    await correspondents(mailroom).remember([row["id"] for row in rows])


def correspondents(mailroom: Mailroom) -> Correspondents:
    return Correspondents(mailroom.services.database, mailroom.services.ids)


async def remembered(database: Database) -> dict[str, str]:
    rows = await database.fetch("select address, name from correspondent")
    return {row["address"]: row["name"] for row in rows}


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("", ("", "")),
        ("a b", ("a ", "b")),
        ("a ", ("a ", "")),
        ('x from:"ada lov', ("x ", 'from:"ada lov')),
        ("-fr", ("-", "fr")),
        ("(a OR b", ("(a OR ", "b")),
        ('"a b" c', ('"a b" ', "c")),
    ],
)
def test_last_word_is_what_the_cursor_stands_in(typed: str, parts: tuple[str, str]) -> None:
    assert split_last_word(typed) == parts


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_that_is_suggested_is_understood(operator: str) -> None:
    values = {"before:": "2026/11/22", "after:": "2026", "newer_than:": "7d", "older_than:": "1y"}
    value = values.get(operator, "5") if operator.endswith(":") else ""
    query = parse_query(operator + value, datetime.now(UTC))
    assert not query.notes
    assert not query.is_empty


async def test_person_is_found_by_address_and_by_name_when_they_wrote(
    mailroom: Mailroom, suggestions: Suggestions, access: Access, user_id: UUID
) -> None:
    await receive(mailroom, "Ada Lovelace <Ada@Analytical.example>")
    await receive(mailroom, "Zoe <ad@x.test>")
    for typed, query in (
        ("ad", "from:ad@x.test"),
        ("Ada L", None),
        ("ADA", "from:ada@analytical.example"),
        ("x -from:ada", "x -from:ada@analytical.example"),
        ('from:"ada lov', "from:ada@analytical.example"),
        ("love", None),
    ):
        found = await suggestions.suggest(access, user_id, typed)
        queries = [suggestion.query for suggestion in found]
        assert (query in queries) if query else not any("from:a" in q for q in queries), typed


async def test_nobody_of_another_tenant_or_mailbox_is_named(
    mailroom: Mailroom, suggestions: Suggestions, access: Access, user_id: UUID
) -> None:
    other = await mailroom.add_mailbox("other@example.test")
    await receive(mailroom, "secret@x.test", other.address)
    everything = await suggestions.suggest(access, user_id, "from:sec")
    assert [suggestion.query for suggestion in everything] == ["from:secret@x.test"]
    for narrower in (
        Access(access.tenant_id, [mailroom.mailbox.id]),
        Access(access.tenant_id, []),
        Access(uuid4()),
    ):
        for typed in ("from:sec", "sec", "to:oth", "oth"):
            found = await suggestions.suggest(narrower, user_id, typed)
            assert not any("secret@" in s.query or "other@" in s.query for s in found)


async def test_labels_mailboxes_and_operators_complete_a_word(
    mailroom: Mailroom, suggestions: Suggestions, access: Access, user_id: UUID
) -> None:
    await mailroom.services.database.execute(
        """insert into label (id, tenant_id, name, colour, created_at)
        values ($1, $2, 'Box "office" %', 'red', now())""",
        uuid4(),
        access.tenant_id,
    )
    found = await suggestions.suggest(access, user_id, "box")
    assert [s.query for s in found] == ['label:"Box  office  %"', "to:box@example.test"]
    assert [s.query for s in await suggestions.suggest(access, user_id, "y is:un")] == [
        "y is:unread"
    ]
    assert await suggestions.suggest(access, user_id, "label:%") == []
    assert not any(
        s.is_whole
        for s in await suggestions.suggest(access, user_id, "fro")
        if s.kind == "operator"
    )


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("ada@analytical.example", "from:ada@analytical.example"),
        ("analytical.example", "from:analytical.example"),
        ("<abc.123@x.test>", "rfc822msgid:abc.123@x.test"),
    ],
)
async def test_what_is_pasted_is_taken_for_what_it_is(
    suggestions: Suggestions, access: Access, user_id: UUID, typed: str, query: str
) -> None:
    assert (await suggestions.suggest(access, user_id, typed))[0].query == query


@pytest.mark.parametrize(
    "typed", ["\0", "x" * 5000, "'; drop table label; --", "(((", '"', "%", "-"]
)
async def test_nothing_typed_fails(
    suggestions: Suggestions, access: Access, user_id: UUID, typed: str
) -> None:
    await suggestions.suggest(access, user_id, typed)


async def test_saved_search_is_suggested_by_its_name_to_its_owner_alone(
    mailroom: Mailroom,
    suggestions: Suggestions,
    saved: SavedSearches,
    access: Access,
    user_id: UUID,
) -> None:
    await saved.save(access.tenant_id, user_id, "Unpaid  bills", "subject:invoice is:unread")
    other = await mailroom.services.users.add("v@example.test", access.tenant_id, "agent")
    found = await suggestions.suggest(access, user_id, "unpaid")
    assert [(s.text, s.query) for s in found] == [("Unpaid bills", "subject:invoice is:unread")]
    assert await suggestions.suggest(access, other.id, "unpaid") == []


async def test_correspondent_is_forgotten_when_their_last_message_is_gone(
    mailroom: Mailroom,
) -> None:
    for sender in ("Ada <ada@x.test>", "Ada L <ada@x.test>", "Bob <bob@x.test>"):
        await receive(mailroom, sender)
    database = mailroom.services.database
    assert await remembered(database) == {"ada@x.test": "Ada L", "bob@x.test": "Bob"}
    await database.execute("delete from message where from_name in ('Ada L', 'Bob')")
    await correspondents(mailroom).forget_gone([mailroom.mailbox.id])
    assert list(await remembered(database)) == ["ada@x.test"]
    await database.execute("delete from message")
    await correspondents(mailroom).forget_gone([mailroom.mailbox.id])
    assert await remembered(database) == {}


async def test_correspondent_stays_the_same_when_messages_are_remembered_twice_or_late(
    mailroom: Mailroom,
) -> None:
    for name in ("Old", "New"):
        await receive(mailroom, f"{name} <ada@x.test>")
    database = mailroom.services.database
    rows = await database.fetch("select id from message order by received_at, id")
    for message_ids in ([rows[0]["id"]], [row["id"] for row in rows], [uuid4()], []):
        await correspondents(mailroom).remember(message_ids)
    assert await remembered(database) == {"ada@x.test": "New"}
