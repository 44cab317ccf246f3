"""The web addresses that programs are given of a message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.mime.links import MAX_LINKS, Link, find_links


def urls(html: str, text: str = "") -> list[str]:
    return [link.url for link in find_links(html, text)]


def test_anchors_come_in_order_with_what_they_show() -> None:
    html = """<p>Hello <b>Ada</b>, <a href="https://a.example/confirm?x=1&amp;y=2">Confirm
        your <b>address</b></a> or <A HREF='HTTP://b.example'>look</A>.</p>
        <a href=https://c.example/unquoted>here</a>"""
    assert find_links(html, "") == [
        Link("https://a.example/confirm?x=1&y=2", "Confirm your address"),
        Link("HTTP://b.example", "look"),
        Link("https://c.example/unquoted", "here"),
    ]


def test_address_comes_once_with_the_first_words_for_it() -> None:
    html = """<a href="https://a.example"><img src="x.png"></a>
        <a href="https://a.example">Shop</a> <a href="https://a.example">Again</a>"""
    assert find_links(html, "https://a.example") == [Link("https://a.example", "Shop")]


def test_picture_speaks_by_its_alternative_text() -> None:
    html = '<a href="https://a.example"><img alt="Verify &lt;now&gt;"></a>'
    assert find_links(html, "") == [Link("https://a.example", "Verify <now>")]


def test_only_the_web_counts() -> None:
    others = "mailto:a@b.example javascript:x //a.example /x #y ftp://a.example https: https://"
    others += " data:text/html,x tel:+491234 cid:1"
    html = "".join(f'<a href="{url}">x</a>' for url in others.split())
    assert urls(html + "<a>x</a><a name=y>z</a><a href>", others) == []


def test_address_is_read_as_a_browser_reads_it() -> None:
    assert urls('<a href="  https://a.example/\n b ">x</a>') == ["https://a.example/ b"]
    assert urls('<a href="https://a.example/?a=1&copy=2&reg;&region">x</a>') == [
        "https://a.example/?a=1&copy=2®&region"
    ]
    assert urls('<a href="https://a.example" href="https://b.example">x</a>') == [
        "https://a.example"
    ]
    assert urls('<a title="<a href=https://no.example>" href=https://yes.example>x</a>') == [
        "https://yes.example"
    ]


def test_comments_and_scripts_hold_no_links() -> None:
    html = """<!-- <a href="https://a.example">x</a> --><script>'<a href="https://b.example">'
        </script><style><a href="https://c.example"></style><a href="https://d.example">d</a>"""
    assert urls(html) == ["https://d.example"]


def test_anchor_ends_where_the_next_begins() -> None:
    html = "<a href=https://a.example>one<a href=https://b.example>two"
    assert find_links(html, "") == [
        Link("https://a.example", "one"),
        Link("https://b.example", "two"),
    ]


def test_plain_text_gives_its_addresses_without_the_sentence_around_them() -> None:
    text = "Open https://a.example/x(1), or (see http://b.example/?q=a.b). Not xhttps://c.example"
    assert find_links("", text) == [
        Link("https://a.example/x(1)", "https://a.example/x(1)"),
        Link("http://b.example/?q=a.b", "http://b.example/?q=a.b"),
    ]


def test_what_an_anchor_shows_is_no_address_of_its_own() -> None:
    html = '<a href="https://track.example/1">https://a.example/…</a> https://b.example'
    assert urls(html, "https://a.example/… https://b.example") == [
        "https://track.example/1",
        "https://b.example",
    ]


@given(st.lists(st.sampled_from(["<a ", "href=", "'", '"', ">", "</a>", "https://x.y", "<img alt="])
    | st.text(max_size=4), max_size=40).map("".join))  # fmt: skip
def test_links_are_web_addresses_and_distinct_whatever_the_mail(text: str) -> None:
    found = urls(text, text)
    assert len(found) == len(set(found)) <= MAX_LINKS
    assert all(url.lower().startswith(("http://", "https://")) for url in found)


@pytest.mark.parametrize(
    "piece",
    ["<a ", "<a href=https://a.example>", "<a href='", "https://", "http://a.b/((((", "<img alt='",
     "<a href=https://a.example/&amp>x</a>", "&#" + "9" * 9000, "<a href='&#" + "9" * 9000 + "'>"],
)  # fmt: skip
def test_long_mail_is_read_to_its_bound(piece: str) -> None:
    text = piece * (4_000_000 // len(piece))
    assert len(find_links(text, text)) <= MAX_LINKS


def test_no_more_links_are_given_than_the_bound() -> None:
    html = "".join(f"<a href=https://a.example/{each}>x</a>" for each in range(MAX_LINKS + 50))
    assert urls(html)[-1] == f"https://a.example/{MAX_LINKS - 1}"
    assert len(urls(html)) == MAX_LINKS
