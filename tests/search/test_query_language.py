"""What a person types, and what it is taken for."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.search.language import MAX_QUERY_BYTES, parse_query
from app.search.operators import EVERY_FOLDER, OPERATORS
from app.search.query import (
    Address,
    And,
    Field,
    Flag,
    HasAttachment,
    HasId,
    HasMessageId,
    InFolder,
    InMailbox,
    Labelled,
    Node,
    Not,
    Or,
    Phrase,
    Prefix,
    Received,
    Size,
    Word,
)

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
ID = "0192f0c1-7b7a-7a11-8a31-5d2f7b1f0a01"
NOTHING = And(())


def day(year: int, month: int = 1, number: int = 1) -> datetime:
    return datetime(year, month, number, tzinfo=UTC)


a, b, c, d = (Word(letter) for letter in "abcd")

UNDERSTOOD: dict[str, Node] = {
    "": NOTHING,
    "   ": NOTHING,
    "Hello": Word("hello"),
    "a b": And((a, b)),
    "a AND b": And((a, b)),
    "a and b": And((a, Word("and"), b)),
    "a OR b": Or((a, b)),
    "a | b": Or((a, b)),
    "a b OR c d": And((a, Or((b, c)), d)),
    "a OR b OR c": Or((a, b, c)),
    "(a b) OR c": Or((And((a, b)), c)),
    "{a b}": Or((a, b)),
    "{a (b c)}": Or((a, And((b, c)))),
    "{a OR b AND c}": Or((a, b, c)),
    "-a": Not(a),
    "NOT a": Not(a),
    "a -b": And((a, Not(b))),
    "a-b": Phrase(("a", "b")),
    "-(a b)": Not(And((a, b))),
    "-{a b}": Not(Or((a, b))),
    "a a": a,
    '"a b"': Phrase(("a", "b")),
    "“a b”": Phrase(("a", "b")),
    '-"a b"': Not(Phrase(("a", "b"))),
    '"a"': a,
    "har*": Prefix("har"),
    "HAR*": Prefix("har"),
    "foo-ba*": And((Word("foo"), Prefix("ba"))),
    "東京": Phrase(("東", "京")),
    "ＦＵＬＬ": Word("full"),
    "STRASSE straße": Word("strasse"),
    "from:Bob": Word("bob", Field.SENDER),
    "FROM:bob": Word("bob", Field.SENDER),
    "from: bob": Word("bob", Field.SENDER),
    'from:"Bob B"': Phrase(("bob", "b"), Field.SENDER),
    "from:bob@example.org": Address("bob@example.org", Field.SENDER),
    "from:Bob@EXAMPLE.org": Address("bob@example.org", Field.SENDER),
    "from:<bob@example.org>": Or(
        (HasMessageId("bob@example.org"), Address("bob@example.org", Field.SENDER))
    ),
    "from:example.org": Address("example.org", Field.SENDER),
    "from:@example.org": Address("example.org", Field.SENDER),
    "from:(a OR b)": Or((Word("a", Field.SENDER), Word("b", Field.SENDER))),
    "from:(a subject:b) c": And((Word("a", Field.SENDER), Word("b", Field.SUBJECT), c)),
    "-from:a": Not(Word("a", Field.SENDER)),
    "{from:a from:b}": Or((Word("a", Field.SENDER), Word("b", Field.SENDER))),
    "to:a": Word("a", Field.RECIPIENT),
    "cc:a": Word("a", Field.COPY),
    "list:dev@lists.example.org": Address("dev@lists.example.org", Field.RECIPIENT),
    "subject:a": Word("a", Field.SUBJECT),
    "subject:report.pdf": Phrase(("report", "pdf"), Field.SUBJECT),
    "subject:a*": Word("a", Field.SUBJECT),
    "subject:ab*": Prefix("ab", Field.SUBJECT),
    "filename:pdf": Word("pdf", Field.FILE_NAME),
    "bob@example.org": Address("bob@example.org"),
    "(bob@example.org)": Address("bob@example.org"),
    "example.org": Address("example.org"),
    "@example.org": Address("example.org"),
    "bücher.example": Address("xn--bcher-kva.example"),
    '"example.org"': Phrase(("example", "org")),
    "report.pdf": Phrase(("report", "pdf")),
    "1.234": Phrase(("1", "234")),
    "12:30": Phrase(("12", "30")),
    "https://example.org/x": Phrase(("https", "example", "org", "x")),
    "<id@host>": Or((HasMessageId("id@host"), Address("id@host"))),
    "<x.y=z@mail>": Or((HasMessageId("x.y=z@mail"), Address("x.y=z@mail"))),
    "rfc822msgid:<id@host>": HasMessageId("id@host"),
    "rfc822msgid:id@host": HasMessageId("id@host"),
    ID: HasId(UUID(ID)),
    ID.upper(): HasId(UUID(ID)),
    f"id:{ID}": HasId(UUID(ID)),
    "has:attachment": HasAttachment(),
    "-has:attachment": Not(HasAttachment()),
    "has:pdf": Word("pdf", Field.FILE_NAME),
    "has:userlabels": Labelled(""),
    "has:nouserlabels": Not(Labelled("")),
    "has:yellow-star": Flag("starred"),
    "is:unread": Not(Flag("read")),
    "is:read": Flag("read"),
    "is:starred": Flag("starred"),
    "is:bounce": Flag("bounce"),
    "is:auto_reply": Flag("auto_reply"),
    "in:inbox": InFolder(("inbox",)),
    "in:SPAM": InFolder(("spam",)),
    "in:trash": InFolder(("trash",)),
    "in:archive": InFolder(("archive",)),
    "in:all": InFolder(("inbox", "archive")),
    "in:anywhere": InFolder(EVERY_FOLDER),
    "in:unread": Not(Flag("read")),
    "in:work": Labelled("work"),
    "label:work": Labelled("work"),
    'label:"to do"': Labelled("to do"),
    "mailbox:Box@Example.Test": InMailbox("box@example.test"),
    "deliveredto:box@example.test": InMailbox("box@example.test"),
    "after:2026/11/22": Received(since=day(2026, 11, 22)),
    "after:2026-11-2": Received(since=day(2026, 11, 2)),
    "newer:2026/11": Received(since=day(2026, 11)),
    "before:2026": Received(until=day(2026)),
    "older:2026.11.22": Received(until=day(2026, 11, 22)),
    "on:2026/11/22": Received(day(2026, 11, 22), day(2026, 11, 23)),
    "on:2026/12": Received(day(2026, 12), day(2027)),
    "after:1767225600": Received(since=day(2026)),
    "older_than:2d": Received(until=NOW - timedelta(days=2)),
    "newer_than:3w": Received(since=NOW - timedelta(weeks=3)),
    "newer_than:12h": Received(since=NOW - timedelta(hours=12)),
    "newer_than:9m": Received(since=NOW.replace(month=2)),
    "older_than:1y": Received(until=NOW.replace(year=2025)),
    "larger:10M": Size(at_least=10_000_000),
    "larger:1.5mb": Size(at_least=1_500_000),
    "size:1000": Size(at_least=1000),
    "smaller:500k": Size(at_most=500_000),
}

READ_AS_WELL_AS_CAN_BE: dict[str, tuple[Node, str]] = {
    '"a b': (Phrase(("a", "b")), "quote was not closed"),
    "(a": (a, "bracket was not closed"),
    "a) b": (And((a, b)), "had no opening one"),
    "OR a": (a, "OR needs"),
    "a OR": (a, "OR needs"),
    "a OR OR b": (Or((a, b)), "OR needs"),
    "a OR )": (a, "OR needs"),
    "from:": (NOTHING, "from: needs something"),
    "from: subject:a": (Word("a", Field.SUBJECT), "from: needs something"),
    "is:(a)": (a, "is: needs something"),
    "*data": (Word("data"), "A *"),
    "f*": (Word("f"), "too short"),
    "da*ta": (Phrase(("da", "ta")), "A *"),
    "after:tomorrow": (NOTHING, "not a date"),
    "after:2026/13/45": (NOTHING, "not a date"),
    "newer_than:soon": (NOTHING, "not a span"),
    "larger:huge": (NOTHING, "not a size"),
    "is:odd a": (a, "is:odd was passed over"),
    "category:social": (Phrase(("category", "social")), "no category:"),
    "(" * 60 + "a": (a, "too deep"),
}

QUIET = ("-", "--", "&", "()", "{}", '""', "- -", "a - b", "!?.,;", "AND", "NOT", "\0", "\\")


@pytest.mark.parametrize("text", UNDERSTOOD)
def test_query_is_understood(text: str) -> None:
    query = parse_query(text, NOW)
    assert query.root == UNDERSTOOD[text]
    assert query.notes == () or text == "subject:a*"


@pytest.mark.parametrize("text", READ_AS_WELL_AS_CAN_BE)
def test_query_is_read_with_a_note_when_it_is_not_all_understood(text: str) -> None:
    root, note = READ_AS_WELL_AS_CAN_BE[text]
    query = parse_query(text, NOW)
    assert query.root == root
    assert any(note in each for each in query.notes)


@pytest.mark.parametrize("text", QUIET)
def test_query_of_marks_alone_asks_for_nothing(text: str) -> None:
    root = parse_query(text, NOW).root
    assert root in (NOTHING, And((a, b)))


def test_long_query_is_cut_between_characters() -> None:
    query = parse_query("ä" * 5000, NOW)
    assert query.notes[0].startswith("The search was too long")
    assert len(parse_query("a " * 5000, NOW).words) == 1


def test_what_is_highlighted_leaves_out_what_is_not_to_be_there() -> None:
    query = parse_query('a -b "c d" from:anna is:unread -(e f)', NOW)
    assert query.words == (a, Phrase(("c", "d")), Word("anna", Field.SENDER))


PIECES = st.one_of(
    st.sampled_from(
        [*"(){}\"'-*<>@:|&! \t\n", "OR ", "AND ", "NOT ", "“", "--", "a", "b@c.d", "2026/11/22"]
    ),
    st.sampled_from(sorted(OPERATORS)).map(lambda name: f"{name}:"),
    st.text(max_size=8),
    st.from_regex(r"[0-9]{1,14}[dwmykMG]?", fullmatch=True),
)


@hypothesis_settings(max_examples=1500, deadline=None)
@given(st.lists(PIECES, max_size=60).map("".join))
def test_nothing_that_is_typed_fails(text: str) -> None:
    query = parse_query(text, NOW)
    assert depth(query.root) < 60
    assert len(query.notes) <= 5


def depth(node: Node) -> int:
    match node:
        case And(parts) | Or(parts):
            return 1 + max(map(depth, parts), default=0)
        case Not(part):
            return 1 + depth(part)
        case _:
            return 1


@pytest.mark.parametrize(
    "piece",
    ["(", "{", "-", "((-", "a OR ", '"', "from:", "from:(", "a*", "a@", "-a ", "OR ", "<a@"],
)
def test_query_of_megabytes_is_read_as_its_first_kilobyte(piece: str) -> None:
    endless = parse_query(piece * 1_000_000, NOW)
    capped = parse_query((piece * MAX_QUERY_BYTES)[:MAX_QUERY_BYTES], NOW)
    assert endless.root == capped.root
