"""Addresses in plain text become links, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from app.mime.html_links import link_addresses


def links(text: str) -> list[str]:
    tree = LexborHTMLParser(f"<!doctype html><body><pre>{link_addresses(text)}</pre>")
    return [node.attributes["href"] or "" for node in tree.css("a")]


@pytest.mark.parametrize(
    "text,found",
    [
        ("See https://x.example/a?b=c&d=e#f.", ["https://x.example/a?b=c&d=e#f"]),
        ("(https://x.example)", ["https://x.example"]),
        ("https://x.example/a_(b)", ["https://x.example/a_(b)"]),
        ("(see https://x.example/a_(b)).", ["https://x.example/a_(b)"]),
        ("<https://x.example/>, [http://y.example/]!", ["https://x.example/", "http://y.example/"]),
        ('"https://x.example/"', ["https://x.example/"]),
        ("HTTPS://X.example", ["HTTPS://X.example"]),
        ("mailto:ada@x.example", ["mailto:ada@x.example"]),
        ("https://x.example/é", ["https://x.example/é"]),
        ("https://a.example\nhttps://b.example", ["https://a.example", "https://b.example"]),
        ("javascript:alert(1) data:text/html,x file:///etc ftp://x.example", []),
        ("javascript://https//x", []),
        ("xhttps://x.example", []),
        ("https:// x", []),
        ("https:///x", []),
        ("https://bank.example@evil.example/", []),
        ("https://x.example\\@evil.example", []),
        ("mailto:", []),
        ("mailto:nobody", []),
        ("https://x.example/\u202egpj.exe", ["https://x.example/"]),
    ],
)
def test_address_is_a_link_when_it_is_plainly_one(text: str, found: list[str]) -> None:
    assert links(text) == found


@given(
    st.text() | st.lists(st.sampled_from(
        ["https://", "x.example", "<script>", "'", '"', ">", "&", "&quot;", ")", "]", " ", "\n",
         "mailto:", "@", "javascript:", "\\", "\x00"])).map("".join)
)  # fmt: skip
def test_text_is_shown_as_it_was_and_nothing_in_it_is_markup(text: str) -> None:
    html = link_addresses(text)
    tree = LexborHTMLParser(f"<!doctype html><body><div>{html}</div>")
    div = tree.css_first("div")
    assert {node.tag for node in div.css("*")} <= {"div", "a"}
    for node in div.css("a"):
        assert set(node.attributes) == {"href", "rel", "target"}
        assert node.attributes["rel"] == "noopener noreferrer nofollow"
        assert (
            (node.attributes["href"] or "").lower().startswith(("http://", "https://", "mailto:"))
        )
    shown = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    assert div.text().replace("\ufffd", "") == shown.replace("\ufffd", "")


@pytest.mark.parametrize("piece", ["https://", ")", "https://x.example/" + ")" * 1900, "mailto:a@"])
def test_hostile_text_costs_no_more_than_its_length(piece: str) -> None:
    text = "https://x.example/" + piece * (1_000_000 // len(piece))
    assert len(link_addresses(text)) >= len(text)
