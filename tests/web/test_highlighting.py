"""Marks stand where the index matched, and nothing of a mail becomes markup."""

import pytest

from app.search.query import Address, Field, Phrase, Prefix, Text, Word
from app.web.highlighting import Marker


@pytest.mark.parametrize(
    ("words", "text", "marked"),
    [
        ([Word("invoice")], "Invoice 42", "<mark>Invoice</mark> 42"),
        ([Word("invoice")], "invoices", "invoices"),
        ([Prefix("inv")], "Invoices in vain", "<mark>Invoices</mark> in vain"),
        ([Phrase(("in", "vain"))], "vain, in vain", "vain, <mark>in vain</mark>"),
        ([Phrase(("in", "vain")), Word("in")], "all in", "all <mark>in</mark>"),
        ([Word("straße")], "STRASSE", "STRASSE"),
        ([Word("strasse")], "Straße", "<mark>Straße</mark>"),
        ([Word("abc")], "ＡＢＣ", "<mark>ＡＢＣ</mark>"),
        (
            [Address("ada@analytical.example")],
            "Ada <ada@analytical.example>",
            "Ada &lt;<mark>ada@analytical.example</mark>&gt;",
        ),
        ([Word("b", Field.SUBJECT)], "a b", "a b"),
        ([], "a <b>", "a &lt;b&gt;"),
        ([Word("script")], "<script>'\"&", "&lt;<mark>script</mark>&gt;&#39;&#34;&amp;"),
        ([Word("mark")], "</mark><mark>", "&lt;/<mark>mark</mark>&gt;&lt;<mark>mark</mark>&gt;"),
        ([Word("東")], "東京", "<mark>東</mark>京"),
    ],
)
def test_what_matched_is_marked_and_all_is_escaped(
    words: list[Text], text: str, marked: str
) -> None:
    assert Marker.of(words, Field.SENDER).mark(text) == marked


def test_word_of_another_field_is_not_marked() -> None:
    word = Word("b", Field.SUBJECT)
    assert Marker.of([word], Field.SUBJECT).mark("a b") == "a <mark>b</mark>"
    assert Marker.of([word]).mark("a b") == "a b"


def test_cut_shows_the_first_match_in_what_stands_around_it() -> None:
    text = "one " * 100 + "needle\n\tand  more " + "two " * 100
    cut = Marker.of([Word("needle")]).cut(text, 150)
    assert cut.startswith("… one ")
    assert "one needle and more two" in cut
    assert len(cut) <= 152
    assert Marker.of([Word("one")]).cut(text, 10).startswith("one one")
    assert Marker.of([Word("absent")]).cut(text, 150) == ""
