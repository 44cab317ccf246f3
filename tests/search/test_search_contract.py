"""What every engine must do, run against each of them on one corpus."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from search_corpus import MAIL, START, Corpus, fits, make_corpus

from app.assembly import Services
from app.search.language import parse_query
from app.search.port import Document, Hit, SearchIndex
from app.search.postgres import PostgresIndex
from app.search.query import Address, And, Field, Node, Not, Or, Phrase, Prefix, Word, is_text
from app.search.tokens import tokenise
from app.search.whoosh_engine.index import WhooshIndex


@pytest.fixture
async def corpus(services: Services) -> Corpus:
    return await make_corpus(services)


@pytest.fixture(params=["whoosh", "postgres"])
async def index(
    request: pytest.FixtureRequest, corpus: Corpus, tmp_path: Path
) -> AsyncIterator[SearchIndex]:
    index: SearchIndex
    if request.param == "whoosh":
        index = WhooshIndex(tmp_path / "search")
    else:
        index = PostgresIndex(corpus.services.database)
    await index.put(list(corpus.documents.values()))
    yield index
    await index.close()


async def names(
    index: SearchIndex, corpus: Corpus, node: Node, limit: int | None = None
) -> list[str]:
    found = await index.find(node, [corpus.mailbox_id], limit=limit)
    assert not found.unsearched
    return [corpus.name_of(hit.message_id) for hit in found.hits]


FINDS: dict[str, set[str]] = {
    "plan": {"plan", "harbour"},
    "PLAN": {"plan", "harbour"},
    "pla": set(),
    "pla*": {"plan", "harbour"},
    '"harbour plan"': {"harbour"},
    '"plan harbour"': set(),
    '"plan for the harbour attached"': {"plan"},
    '"harbour harbour"': {"harbour"},
    '-"harbour plan"': set(MAIL) - {"harbour"},
    'plan -"harbour plan"': {"plan"},
    'quay OR -"harbour plan"': set(MAIL),
    '-(plan -"harbour plan")': set(MAIL) - {"plan"},
    '"again again again"': {"repeats"},
    '"plan anna"': set(),  # the end of one field and the start of the next
    "harbour plan": {"plan", "harbour"},
    "quay OR anna.berg@north.example.org": {"plan", "harbour"},
    "plan -quay": {"plan"},
    "-plan": set(MAIL) - {"plan", "harbour"},
    "-(plan OR rechnung) -again": {"japanese", "hostile", "long", "empty"},
    "{quay rechnung}": {"harbour", "invoice"},
    "plan (quay OR attached) -finally": {"plan", "harbour"},
    "from:anna": {"plan"},
    "from:Carl": {"harbour"},
    "to:carl": {"plan"},
    "cc:team": {"harbour"},
    "to:team": {"harbour"},
    "cc:carl": set(),
    "subject:harbour": {"harbour"},
    "subject:(harbour quay)": set(),
    'subject:"harbour plan"': {"harbour"},
    "filename:pdf": {"plan", "invoice"},
    "filename:quarterly-plan.pdf": {"plan"},
    "filename:quarterly*": {"plan"},
    "filename:rechnung_4711": {"invoice"},
    "has:archive": {"invoice"},
    "anna.berg@north.example.org": {"plan", "harbour"},
    "from:anna.berg@NORTH.example.org": {"plan"},
    "berg@north.example.org": set(),
    "north.example.org": {"plan", "harbour"},
    "@example.org": {"plan", "harbour", "empty"},
    "from:example.org": {"plan", "empty"},
    "o'brien+tag@example.com": {"hostile"},
    "straße": {"invoice"},
    "STRASSE": {"invoice"},
    "full": {"invoice"},
    "fin": {"invoice"},
    "größe": {"invoice"},
    "1.234,56": {"invoice"},
    "東京": {"japanese"},
    "東京駅": {"japanese"},
    "京東": set(),
    "カタカナ": {"japanese"},
    "from:山田": {"japanese"},
    "under_score": {"hostile"},
    "score": set(),
    "snake*": {"hostile"},
    "it's": {"hostile"},
    "'quoted'": {"hostile"},
    "back\\slash": {"hostile"},
    '"drop table message"': {"hostile"},
    "a::tsvector": {"hostile"},
    "1:2,3": {"hostile"},
    "again": {"repeats"},
    "x" * 300: {"long"},
    "x" * 64: {"long"},
    "x" * 63: set(),
    "inside": {"long"},
    "outside": set(),  # the first of a body that no longer counts
    "zzzunknown* -plan": set(),
}


async def test_queries_find_what_they_say(index: SearchIndex, corpus: Corpus) -> None:
    for text, expected in FINDS.items():
        root = parse_query(text, START).root
        assert is_text(root), text
        found = await names(index, corpus, root)
        assert set(found) == expected, text
        assert set(found) == {n for n, each in corpus.documents.items() if fits(root, each)}
        assert found == [name for name in reversed(MAIL) if name in found], text
        assert await names(index, corpus, root, limit=50) == found, text


TOKENS = sorted(
    {
        token
        for fields in MAIL.values()
        for text in (fields["subject"], fields["sender_name"], str(fields["text"])[-80:])
        for token in tokenise(str(text))
    }
    | {"missing"}
)
_token = st.sampled_from(TOKENS)
_field = st.sampled_from(Field)
_phrases = [
    tuple(tokens[start : start + size])
    for fields in MAIL.values()
    for tokens in [tokenise(str(fields["text"])[-120:])]
    for start in range(len(tokens) - 1)
    for size in (2, 3)
    if len(tokens[start : start + size]) > 1
]
_leaf = st.one_of(
    st.builds(Word, _token, _field),
    st.builds(Prefix, _token.map(lambda token: token[:2]), _field),
    st.builds(Phrase, st.sampled_from(_phrases), _field),
    st.builds(Phrase, st.tuples(_token, _token), _field),
    st.builds(
        Address, st.sampled_from(["example.org", "carl@south.example", "o'brien+tag@example.com"])
    ),
)
_node = st.recursive(
    _leaf,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


@hypothesis_settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(node=_node, limit=st.sampled_from([None, 1, 3, 50]))
async def test_any_query_finds_what_its_terms_say(
    index: SearchIndex, corpus: Corpus, node: Node, limit: int | None
) -> None:
    found = await index.find(node, [corpus.mailbox_id, corpus.other_id], limit=limit)
    expected = [name for name in reversed(MAIL) if fits(node, corpus.documents[name])]
    assert [corpus.name_of(hit.message_id) for hit in found.hits] == expected[:limit]


ALL = Not(Word("missing"))


async def test_pages_hold_each_hit_once_and_in_order(index: SearchIndex, corpus: Corpus) -> None:
    """Several have the same time, so that the order falls back on ids."""
    more = [
        corpus.like(
            "plan",
            text="plan common words" if number % 2 else "common words words common plan",
            received_at=START + timedelta(hours=number // 4),
        )
        for number in range(12)
    ]
    for number, document in enumerate(more):
        await corpus.add(f"more {number}", document)
    await index.put(more)
    for node in (ALL, Word("plan"), Phrase(("common", "words"))):
        everything = (await index.find(node, [corpus.mailbox_id])).hits
        assert len(everything) == sum(fits(node, each) for each in corpus.documents.values())
        places = [(hit.received_at, hit.message_id) for hit in everything]
        assert places == sorted(set(places), reverse=True)
        for limit in (1, 2, 3, 7):
            assert await paged(index, corpus, node, limit) == everything


async def paged(index: SearchIndex, corpus: Corpus, node: Node, limit: int) -> list[Hit]:
    found: list[Hit] = []
    before = None
    while hits := (await index.find(node, [corpus.mailbox_id], before=before, limit=limit)).hits:
        assert len(hits) <= limit
        found += hits
        before = (hits[-1].received_at, hits[-1].message_id)
    return found


async def test_since_leaves_out_what_is_older(index: SearchIndex, corpus: Corpus) -> None:
    moment = corpus.documents["hostile"].received_at
    newer = await index.find(ALL, [corpus.mailbox_id], since=moment)
    assert [corpus.name_of(hit.message_id) for hit in newer.hits] == [
        *("empty", "long", "repeats", "hostile")
    ]
    span = await index.find(ALL, [corpus.mailbox_id], since=moment, before=(moment, UUID(int=0)))
    assert span.hits == []


async def test_only_the_mailboxes_asked_for_are_searched(
    index: SearchIndex, corpus: Corpus
) -> None:
    elsewhere = await corpus.add("elsewhere", corpus.like("plan", mailbox_id=corpus.other_id))
    await index.put([elsewhere])
    plan, other = corpus.mailbox_id, corpus.other_id
    assert len((await index.find(Word("plan"), [plan])).hits) == 2
    assert len((await index.find(Word("plan"), [other])).hits) == 1
    assert len((await index.find(Word("plan"), [plan, other, plan])).hits) == 3
    assert (await index.find(Word("plan"), [])).hits == []
    assert (await index.find(Word("plan"), [uuid4()])).hits == []
    assert await index.message_ids(other) == {elsewhere.message_id}


async def test_putting_again_replaces_and_changes_nothing_else(
    index: SearchIndex, corpus: Corpus
) -> None:
    everything = list(corpus.documents.values())
    await index.put([*everything, *everything])
    await index.put(everything[:3])
    ids = {each.message_id for each in everything}
    assert await index.message_ids(corpus.mailbox_id) == ids
    assert len((await index.find(ALL, [corpus.mailbox_id])).hits) == len(everything)
    assert await names(index, corpus, Word("quay")) == ["harbour"]


async def test_what_was_removed_is_found_no_more(index: SearchIndex, corpus: Corpus) -> None:
    plan = corpus.documents["plan"].message_id
    await index.remove(corpus.mailbox_id, [plan, uuid4()])
    assert await names(index, corpus, Word("plan")) == ["harbour"]
    assert plan not in await index.message_ids(corpus.mailbox_id)
    await index.remove(corpus.mailbox_id, [plan])
    await index.put([corpus.documents["plan"]])
    assert await names(index, corpus, Word("plan")) == ["harbour", "plan"]
    await index.remove_mailbox(corpus.mailbox_id)
    assert (await index.find(ALL, [corpus.mailbox_id])).hits == []
    assert await index.message_ids(corpus.mailbox_id) == set()


async def test_message_without_anything_to_search_is_there(
    index: SearchIndex, corpus: Corpus
) -> None:
    blank = corpus.like("empty", sender_address="")
    await corpus.add("blank", blank)
    await index.put([blank])
    assert "blank" in await names(index, corpus, ALL)


async def test_largest_message_is_found_by_its_first_words(
    index: SearchIndex, corpus: Corpus
) -> None:
    """Every part longer than counts, of different words in an alphabet of four bytes a letter."""

    def words(count: int, letters: int) -> str:
        alphabet = [chr(0x10400 + each) for each in range(26)]
        return " ".join(
            "".join(alphabet[(number // 26**place) % 26] for place in range(letters))
            for number in range(count)
        )

    people = ", ".join(f"{name}@{name}.sub.example.org" for name in words(400, 12).split())
    largest = corpus.like(
        "empty",
        subject="first " + words(1000, 30),
        sender_name=words(1000, 30),
        to=people,
        cc=people,
        text="begins " + words(20_000, 60),
        file_names=words(1000, 30).split(),
    )
    await corpus.add("largest", largest)
    await index.put([largest])
    for text in ("first", "begins", "subject:first", "to:example.org"):
        assert "largest" in await names(index, corpus, parse_query(text, START).root)


async def batches(documents: Sequence[Document], size: int) -> AsyncIterator[Sequence[Document]]:
    for start in range(0, len(documents), size):
        yield documents[start : start + size]


async def test_rebuild_holds_all_documents_and_no_others(
    index: SearchIndex, corpus: Corpus
) -> None:
    kept = [each for name, each in corpus.documents.items() if name != "plan"]
    before = await index.generation(corpus.mailbox_id)
    await index.rebuild(corpus.mailbox_id, batches(kept, 3))
    assert await index.message_ids(corpus.mailbox_id) == {each.message_id for each in kept}
    assert await names(index, corpus, Word("plan")) == ["harbour"]
    assert await index.generation(corpus.mailbox_id) >= before
    assert not await index.broken()


async def test_searches_are_answered_while_an_index_is_rebuilt(
    index: SearchIndex, corpus: Corpus
) -> None:
    """And what comes and goes meanwhile is not lost, nor does it come back."""
    late = corpus.like("plan", text="late")
    seen = []

    async def documents() -> AsyncIterator[Sequence[Document]]:
        everything = list(corpus.documents.values())
        yield everything[:4]
        seen.append(await names(index, corpus, Word("harbour")))
        await corpus.add("late", late)
        await index.put([late])
        await index.remove(corpus.mailbox_id, [corpus.documents["plan"].message_id])
        await index.remove(corpus.mailbox_id, [corpus.documents["long"].message_id])
        seen.append(await names(index, corpus, Word("quarterly")))
        yield everything[4:]

    await index.rebuild(corpus.mailbox_id, documents())
    assert seen == [["harbour", "plan"], ["late"]]
    left = {each.message_id for each in corpus.documents.values()} - {
        corpus.documents[name].message_id for name in ("plan", "long")
    }
    if isinstance(index, PostgresIndex):  # there, what is gone from the mailbox is gone with it
        left.add(corpus.documents["long"].message_id)
    assert await index.message_ids(corpus.mailbox_id) == left


async def test_rebuild_that_fails_leaves_the_index_as_it_was(
    index: SearchIndex, corpus: Corpus
) -> None:
    async def documents() -> AsyncIterator[Sequence[Document]]:
        yield [corpus.documents["plan"]]
        raise RuntimeError("the database went away")

    with pytest.raises(RuntimeError):
        await index.rebuild(corpus.mailbox_id, documents())
    assert await names(index, corpus, Word("plan")) == ["harbour", "plan"]
    await index.rebuild(corpus.mailbox_id, batches(list(corpus.documents.values()), 2))
    assert set(await names(index, corpus, ALL)) == set(MAIL)


async def test_many_at_once_write_and_search(index: SearchIndex, corpus: Corpus) -> None:
    more = [corpus.like("harbour", text=f"number {number}") for number in range(20)]
    for number, document in enumerate(more):
        await corpus.add(str(number), document)
    searches = [index.find(Word("plan"), [corpus.mailbox_id]) for _ in range(20)]
    results = await asyncio.gather(*(index.put([each]) for each in more), *searches)
    for found in results[len(more) :]:
        assert 2 <= len(found.hits) <= 22
    assert len((await index.find(Word("number"), [corpus.mailbox_id])).hits) == 20
