"""The quoted end of HTML mail, folded without breaking what it lies in."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode

from app.mime.html import sanitise_html
from app.mime.html_quotes import MAX_TAGS, fold_quotes

OUTLOOK = (
    '<div><div style="border:none;border-top:solid #E1E1E1 1.0pt"><p><b>From:</b> Ada '
    "&lt;ada@x.example&gt;<br><b>Sent:</b> Monday<br><b>To:</b> Bob<br>"
    "<b>Subject:</b> Tea</p></div></div>"
    "<p>Hello Bob</p>"
)


def sanitise(html: str) -> str:
    return sanitise_html(html, remote_image=lambda _: "", cid_url=lambda _: "").html


def folded(html: str) -> str | None:
    """The text that is folded away."""
    details = LexborHTMLParser(fold_quotes(sanitise(html))).css("details")
    assert len(details) <= 1
    return (
        details[0].text(separator=" ", strip=True).removeprefix("Quoted text ") if details else None
    )


@pytest.mark.parametrize(
    "html,quoted",
    [
        ("<p>Yes</p><blockquote type=cite>Tea?</blockquote>", "Tea?"),
        ("<div>Yes</div><div>On 5 May Ada wrote:<br><blockquote>Tea?</blockquote></div>", "Tea?"),
        ("Yes<blockquote>Tea?<blockquote>Older</blockquote></blockquote><br><br>", "Tea? Older"),
        ("<blockquote>A</blockquote>Yes<blockquote>B</blockquote>", "B"),
        ("<p>Yes</p><blockquote>Tea?</blockquote><img src=https://t.example/open.gif>", "Tea?"),
        ("<table><tr><td>Yes<blockquote>Tea?</blockquote></td></tr></table>", "Tea?"),
        ("<ul><li>Yes<blockquote>Tea?</blockquote></ul>", "Tea?"),
        ("<p>Yes</p>-----Original Message-----<br>Tea?", "-----Original Message----- Tea?"),
    ],
)
def test_quotation_at_the_end_is_folded(html: str, quoted: str) -> None:
    assert folded(html) == quoted


def test_copied_header_folds_all_that_follows() -> None:
    text = folded(f"<p>Yes.</p>{OUTLOOK}")
    assert text is not None
    assert text.startswith("From: Ada")
    assert text.endswith("Hello Bob")


@pytest.mark.parametrize(
    "html",
    [
        "",
        "<p>No quotation</p>",
        "<blockquote>Only a quotation</blockquote>",
        "<blockquote>Tea?</blockquote><p>Yes, below</p>",
        "<p>Yes</p><blockquote>Tea?</blockquote><hr>",
        OUTLOOK,
        "<p>Hello</p><p>From: here</p><p>To: there</p>",
        f"<table><tr><td>{OUTLOOK}</td><td>Beside</td></tr></table>",
        "<table><tr><td>x</td><td>From: a<br>To: b<br>Date: c</td></tr></table><p>Below</p>",
    ],
)
def test_nothing_is_folded_when_an_answer_would_be_hidden(html: str) -> None:
    assert folded(html) is None


@given(
    st.lists(
        st.sampled_from(
            ["<p>", "</p>", "<div>", "</div>", "<blockquote>", "</blockquote>", "<table>", "<tr>",
             "<td>", "</table>", "<b>", "</b>", "<ul>", "<li>", "</ul>", "<br>", "<hr>", "text",
             "From: a<br>Date: b<br>To: c<br>", "-----Original Message-----",
             "<a href=//x.example>", "</a>", "<img src=data:image/png;base64,AA==>", "<pre>",
             "</pre>", "&lt;p&gt;"]
        ),
        max_size=25,
    )
)  # fmt: skip
@example(["<p>Yes</p><div>Yes<br>", "From: a<br>Date: b<br>To: c<br>", "<b>text</b>", "</div>"])
@example(["<p>", "<img src=data:image/png;base64,AA==>", "From: a<br>Date: b<br>To: c<br>"])
@example(["<p>Yes <b>", "-----Original Message-----", "text"])
@example(["<div>Yes<br>", "<div>", "<b>-----Original Message-----</b>", "</div>text", "</div>"])
def test_folding_keeps_every_word_and_every_element_in_its_place(pieces: list[str]) -> None:
    safe = sanitise("".join(pieces))
    plain = parse(safe)
    tree = parse(fold_quotes(safe))
    if plain.inner_html == safe:
        assert tree.inner_html == fold_quotes(safe)
    for summary in tree.css("summary"):
        summary.decompose()
    assert tree.text() == plain.text()
    assert [node.tag for node in tree.css("*") if node.tag != "details"] == [
        node.tag for node in plain.css("*")
    ]


def parse(html: str) -> LexborNode:
    body = LexborHTMLParser(f"<!doctype html><body>{html}").body
    assert body
    return body


@pytest.mark.parametrize(
    "piece",
    ["<blockquote>a</blockquote>", "From: a<br>", "From: a<br>Date: b<br>To: c<br>", "<b>From:</b>",
     "-----Original Message-----<br>", "<div><p>From: a</p></div>"],
)  # fmt: skip
def test_hostile_html_costs_no_more_than_its_length(piece: str) -> None:
    html = "<p>Hello</p>" + piece * (MAX_TAGS // 3)
    assert len(fold_quotes(html)) >= len(html)


def test_too_many_tags_are_left_as_they_are() -> None:
    html = "<p>Hello</p>" + "<br>" * MAX_TAGS + "<blockquote>a</blockquote>"
    assert fold_quotes(html) == html
