"""Search as a page asks for it: the whole language, over what the person may see."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from search_corpus import MAIL, START, Corpus, make_corpus

from app.assembly import Services
from app.core.errors import InvalidInput
from app.inbox.listing import Access
from app.search.conditions import within_folders
from app.search.documents import read_stored
from app.search.language import parse_query
from app.search.matching import matches
from app.search.port import Found, SearchIndex
from app.search.postgres import PostgresIndex
from app.search.query import Node
from app.search.search import Search
from app.search.whoosh_engine.index import WhooshIndex


@pytest.fixture
async def corpus(services: Services) -> Corpus:
    """The usual mail, some of it read, starred, labelled, spam or large."""
    corpus = await make_corpus(services)
    database = services.database
    ids = {name: each.message_id for name, each in corpus.documents.items()}
    label = uuid4()
    await database.execute(
        "insert into label (id, tenant_id, name, colour, created_at) values ($1, $2, $3, '', $4)",
        *(label, corpus.tenant_id, "To do", START),
    )
    await database.execute(
        """insert into message_label (id, tenant_id, label_id, message_id, received_at)
        values ($1, $2, $1, $3, $4)""",
        *(label, corpus.tenant_id, ids["plan"], START),
    )
    for name, change in {
        "plan": "is_read = true, size_bytes = 5000000",
        "harbour": "is_starred = true",
        "invoice": "folder = 'archive'",
        "hostile": "folder = 'spam'",
        "repeats": "folder = 'trash'",
        "long": "is_bounce = true, is_read = true",
    }.items():
        await database.execute(f"update message set {change} where id = $1", ids[name])
    return corpus


@pytest.fixture(params=["whoosh", "postgres"])
async def index(
    request: pytest.FixtureRequest, corpus: Corpus, tmp_path: Path
) -> AsyncIterator[SearchIndex]:
    whoosh = request.param == "whoosh"
    index = WhooshIndex(tmp_path / "i") if whoosh else PostgresIndex(corpus.services.database)
    await index.put(list(corpus.documents.values()))
    yield index
    await index.close()


@pytest.fixture
def search(corpus: Corpus, index: SearchIndex) -> Search:
    return Search(corpus.services.database, index, corpus.services.clock)


def everything(corpus: Corpus) -> Access:
    return Access(corpus.tenant_id)


async def find(search: Search, corpus: Corpus, text: str, **options: object) -> list[str]:
    access = options.pop("access", everything(corpus))
    page = await search.find(access, text, **options)  # type: ignore[arg-type]
    return [corpus.name_of(row.id) for row in page.rows]


SHOWN = [name for name in reversed(MAIL) if name not in ("hostile", "repeats")]

FINDS: dict[str, list[str]] = {
    "plan": ["harbour", "plan"],
    "again": [],
    "again in:trash": ["repeats"],
    "again in:anywhere": ["repeats"],
    "under_score in:spam": ["hostile"],
    "in:spam OR in:trash": ["repeats", "hostile"],
    "plan is:unread": ["harbour"],
    "plan -is:unread": ["plan"],
    "plan is:starred": ["harbour"],
    "is:starred OR from:anna": ["harbour", "plan"],
    "is:starred OR again": ["harbour"],
    "(is:starred OR again) in:anywhere": ["repeats", "harbour"],
    "-(is:starred OR plan)": [name for name in SHOWN if name not in ("harbour", "plan")],
    "is:unread -harbour": ["empty", "japanese", "invoice"],
    "-harbour": [name for name in SHOWN if name not in ("harbour", "plan")],
    "is:read": ["long", "plan"],
    "is:bounce": ["long"],
    "in:archive": ["invoice"],
    "in:inbox from:groesse.example": [],
    "has:attachment": ["invoice", "plan"],
    "has:attachment -filename:zip": ["plan"],
    "label:to-do": ["plan"],
    'label:"TO DO"': ["plan"],
    "in:to-do": ["plan"],
    "label:unknown": [],
    "has:userlabels": ["plan"],
    "has:nouserlabels plan": ["harbour"],
    "larger:1M": ["plan"],
    "larger:1M OR is:bounce": ["long", "plan"],
    "smaller:1M plan": ["harbour"],
    "after:2026/01/01 before:2026/01/02 plan": ["harbour", "plan"],
    "after:2026/01/02": [],
    "plan before:2026/01/01": [],
    "on:2026-01-01 is:starred": ["harbour"],
    "rfc822msgid:00000000-0000-0000-0000-000000000005@ids.example": ["hostile"],
    "<00000000-0000-0000-0000-000000000001@ids.example>": ["plan"],
    "<carl@south.example>": ["harbour", "plan"],
    str(UUID(int=6)): ["repeats"],
    f"id:{UUID(int=99)}": [],
    "mailbox:box plan": ["harbour", "plan"],
    "mailbox:box@example.test plan": ["harbour", "plan"],
    "mailbox:example.test plan": ["harbour", "plan"],
    "mailbox:other plan": [],
    "mailbox:unknown": [],
    "-mailbox:other plan": ["harbour", "plan"],
    "mailbox:other OR from:anna": ["plan"],
    "": [],
    "()": [],
    "size:huge": [],
}


async def test_queries_find_what_they_say(search: Search, corpus: Corpus) -> None:
    for text, expected in FINDS.items():
        assert await find(search, corpus, text) == expected, text


async def test_message_itself_is_read_as_the_search_finds_it(
    search: Search, corpus: Corpus
) -> None:
    documents = sorted(corpus.documents.values(), key=lambda each: each.received_at, reverse=True)
    stored = await read_stored(corpus.services.database, [each.message_id for each in documents])
    # The rows have no bodies here.
    newest_first = [replace(stored[each.message_id], document=each) for each in documents]
    for text in (*FINDS, *HOSTILE):
        query = parse_query(text, corpus.services.clock.now())
        root = within_folders(query.root)
        fitting = [message for message in newest_first if matches(root, message)]
        names = [corpus.name_of(message.document.message_id) for message in fitting]
        # An empty search finds nothing, and whoever waits for nothing in particular anything.
        assert names == (SHOWN if query.is_empty else await find(search, corpus, text)), text


async def test_both_engines_find_the_same_for_what_nobody_would_type(
    corpus: Corpus, tmp_path: Path
) -> None:
    documents = list(corpus.documents.values())
    whoosh, postgres = WhooshIndex(tmp_path / "w"), PostgresIndex(corpus.services.database)
    for text in HOSTILE:
        answers = []
        for index in (whoosh, postgres):
            await index.put(documents if text is HOSTILE[0] else [])
            search = Search(corpus.services.database, index, corpus.services.clock)
            page = await search.find(everything(corpus), text)
            answers.append(([row.id for row in page.rows], page.notes))
        assert answers[0] == answers[1], text
    await whoosh.close()


HOSTILE = (
    *("'", "''", "\\", "'\\''", "a'b", "a' | 'b", "a & b", "a | b", "!a", "a <-> b", "a:*", ":*"),
    *("plan:*", "plan:A", "'plan' & !'x'", "%", "_", "pl_n", "pla%", "$1", "{}", "{0}", "\0plan"),
    *("'; drop table message; --", "plan)) or ((1=1", "*", "**", "p*l*a*n", "plan**", "-", "--"),
    *("-plan", "--plan", "-(-plan)", "NOT NOT plan", "OR", "plan OR", "OR plan", "AND", "()", "("),
    *('"', '""', '"plan', '"plan" "', "from:", "from:from:", "from:(", "subject:()", "is:", "in:"),
    *(
        "label:'",
        "label:%",
        "label:\0",
        "label:\ud800",
        "mailbox:'",
        "mailbox:%",
        "rfc822msgid:'",
        "id:x",
    ),
    *("after:9999/12/31", "before:0001/01/01", "before:0001", "older_than:99999y", "on:9999"),
    *("on:9999/12/31", "newer_than:99999d", "larger:999999999999G", "smaller:0", "after:0000"),
    *(
        "\u202eplan",
        "plan\u200b",
        "p\u0301lan",
        "ｐｌａｎ",
        "PLAN",
        "ﬁn",
        "\ud800",
        "😀",
        "a" * 2000,
    ),
    *("東京駅", "東 京", "*東", "東*", "<", "<>", "<@>", "<a@b", "@", "@@", "a@", "@b", "@b.c"),
    *("o'brien+tag@example.com", "from:o'brien+tag@example.com", '"odd local"@example.com'),
    *("(" * 500, "-" * 1000, "{" * 300 + "plan", "a OR " * 300, "NOT " * 300 + "plan"),
    " ".join(f"-w{number}" for number in range(250)) + " -plan",
    "is:starred OR " + " OR ".join(f"-w{number}" for number in range(120)),
    "{is:starred -plan harbour -w1} {is:read quay -(a -b)}",
    *("plan " * 200, "pl* " * 100, '"a b" ' * 150, "-a " * 300, "x" * 300, "again " * 100),
)


async def test_engine_is_asked_once_for_all_the_words_beside_a_filter(
    search: Search, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Node] = []
    find_in_index = type(search.index).find

    async def count(self: SearchIndex, node: Node, *args: Any, **options: Any) -> Found:
        asked.append(node)
        return await find_in_index(self, node, *args, **options)

    monkeypatch.setattr(type(search.index), "find", count)
    absent = " ".join(f"-w{number}" for number in range(200))
    for text, expected in {
        f"is:read -plan {absent}": ["long"],
        f"{{is:starred long {absent}}}": SHOWN,
        "{is:starred -plan -quarterly}": [name for name in SHOWN if name != "plan"],
        "{is:starred plan quarterly}": ["harbour", "plan"],
        "{is:starred plan -harbour}": SHOWN,
        "is:read plan -quay": ["plan"],
    }.items():
        asked.clear()
        assert await find(search, corpus, text) == expected, text
        assert len(asked) == 1


async def test_pages_hold_each_hit_once_when_few_of_the_engines_hits_are_shown(
    search: Search, corpus: Corpus
) -> None:
    """Of 400 with the word every twentieth is starred, so that the engine is asked repeatedly."""
    more = [
        corpus.like("plan", text="needle", received_at=START + timedelta(days=number // 3))
        for number in range(400)
    ]
    await corpus.services.database.execute("delete from message where true")
    await search.index.remove_mailbox(corpus.mailbox_id)
    for number, document in enumerate(more):
        await corpus.add(f"more {number}", document)
    await search.index.put(more)
    starred = [each.message_id for each in more[::20]]
    await corpus.services.database.execute(
        "update message set is_starred = true where id = any($1::uuid[])", starred
    )
    for text in ("needle is:starred", "is:starred", "is:starred OR missing"):
        found, cursor = [], None
        while True:
            page = await search.find(everything(corpus), text, cursor=cursor, limit=3)
            found += [(row.received_at, row.id) for row in page.rows]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == sorted(found, reverse=True)
        assert sorted(message_id for _, message_id in found) == sorted(starred)


async def test_nothing_is_found_that_the_person_may_not_see(search: Search, corpus: Corpus) -> None:
    elsewhere = await corpus.add("elsewhere", corpus.like("plan", mailbox_id=corpus.other_id))
    await search.index.put([elsewhere])
    for text in ("plan", "is:unread OR plan", "has:attachment", "-missing", str(UUID(int=1))):
        mine = await find(search, corpus, text, access=Access(corpus.tenant_id, [corpus.other_id]))
        assert set(mine) <= {"elsewhere"}, text
        none = await find(search, corpus, text, access=Access(corpus.tenant_id, ()))
        assert none == [], text
        stranger = await corpus.services.tenants.create(f"Stranger {text[:40]}", "developer")
        other = await find(search, corpus, text, access=Access(stranger.id))
        assert other == [], text
        forged = Access(stranger.id, [corpus.mailbox_id, corpus.other_id])
        assert await find(search, corpus, text, access=forged) == [], text


async def test_labels_of_another_tenant_are_not_asked_for(search: Search, corpus: Corpus) -> None:
    stranger = await corpus.services.tenants.create("Stranger", "developer")
    await corpus.services.database.execute("update label set tenant_id = $1", stranger.id)
    assert await find(search, corpus, "label:to-do") == []


async def test_cursor_that_is_not_ours_is_refused(search: Search, corpus: Corpus) -> None:
    with pytest.raises(InvalidInput):
        await search.find(everything(corpus), "plan", cursor="nonsense")


async def test_deleted_message_is_not_shown_while_the_index_still_holds_it(
    search: Search, corpus: Corpus
) -> None:
    await corpus.services.database.execute(
        "delete from message where id = $1", corpus.documents["harbour"].message_id
    )
    assert await find(search, corpus, "plan") == ["plan"]


async def test_page_says_which_mailbox_was_not_searched(corpus: Corpus, tmp_path: Path) -> None:
    index = WhooshIndex(tmp_path / "broken")
    other = replace(corpus.documents["plan"], mailbox_id=corpus.other_id)
    await index.put([*corpus.documents.values(), other])
    for path in (tmp_path / "broken" / str(corpus.other_id)).rglob("*.idx"):
        path.write_bytes(b"not what was written")
    page = await Search(corpus.services.database, index, corpus.services.clock).find(
        everything(corpus), "plan"
    )
    assert [corpus.name_of(row.id) for row in page.rows] == ["harbour", "plan"]
    assert page.notes == ("Not searched, as the index is being rebuilt: other@example.test.",)
    assert await index.broken() == [corpus.other_id]
    await index.close()
