"""A query is said back in words that somebody understands who never read the language."""

from datetime import UTC, datetime

import pytest

from app.search.language import parse_query
from app.search.wording import describe_query

NOW = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", []),
        ("Invoice plan", ["“invoice”", "“plan”"]),
        ('"exact phrase" OR inv*', ["“exact phrase” or “inv…”"]),
        ("from:ada@x.org to:y.org", ["from ada@x.org", "to anyone at y.org"]),
        ("x.org", ["from or to anyone at x.org"]),
        ("subject:plan filename:pdf cc:bob", ["subject has “plan”", "file named “pdf”",
                                              "copied to “bob”"]),
        ("is:unread is:starred -is:starred is:bounce", ["unread", "starred", "not starred",
                                                        "a bounce"]),
        ("has:attachment label:bills has:nolabel", ["has attachment", "labelled “bills”",
                                                    "has no label"]),
        ("in:spam in:anywhere", ["in spam", "anywhere"]),
        ("-(foo bar)", ["not (“foo” and “bar”)"]),
        ("after:2026/11/01 before:2026/11/05", ["since 2026/11/01", "before 2026/11/05"]),
        ("on:2026/11/22 on:2026/11", ["on 2026/11/22", "from 2026/11/01 until 2026/11/30"]),
        ("newer_than:2h", ["since 2026/11/22, 04:30 UTC"]),
        ("larger:5M smaller:1500", ["at least 5 MB", "at most 1.5 KB"]),
        ("mailbox:a@b.org rfc822msgid:<x@y>", ["in mailbox a@b.org", "Message-ID x@y"]),
    ],
)  # fmt: skip
def test_query_is_described(query: str, words: list[str]) -> None:
    assert describe_query(parse_query(query, NOW)) == words
