"""HTML of mail made safe to show: nothing that runs, submits, calls home or covers the page."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode

from app.mime.html import SafeHtml, html_to_text, sanitise_html

_TAGS = {
    "a", "abbr", "acronym", "address", "article", "aside", "b", "bdi", "bdo", "big",
    "blockquote", "br", "caption", "center", "cite", "code", "col", "colgroup", "dd", "del",
    "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "font", "footer", "h1", "h2", "h3",
    "h4", "h5", "h6", "header", "hr", "i", "img", "ins", "kbd", "li", "main", "mark", "nav",
    "ol", "p", "pre", "q", "rp", "rt", "ruby", "s", "samp", "section", "small", "span",
    "strike", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time",
    "tr", "tt", "u", "ul", "var", "wbr",
}  # fmt: skip
_ATTRIBUTES = {
    "abbr", "align", "alt", "aria-hidden", "aria-label", "bgcolor", "border", "bordercolor",
    "cellpadding", "cellspacing", "clear", "color", "colspan", "dir", "face", "frame",
    "headers", "height", "href", "hspace", "lang", "noshade", "nowrap", "rel", "reversed",
    "role", "rowspan", "rules", "scope", "size", "span", "src", "start", "style", "target",
    "title", "type", "valign", "value", "vspace", "width",
}  # fmt: skip
_FREE_TEXT = {"abbr", "alt", "aria-label", "title"}
_LINK = re.compile(r"(?:https?://[^/\\?#\s]|mailto:|tel:)", re.I)
_LOCAL_IMAGE = re.compile(
    r"/cid/[^/]|data:image/(?:png|gif|jpe?g|webp)(?:;[\w=.-]+)*;base64,[\w+/=%\s-]*\Z", re.I
)
_REMOTE_IMAGE = re.compile(r"https?://[^/\\?#\s]", re.I)
_HOSTILE_STYLE = re.compile(
    r"url|//|@|\\|/\*|:.*:|expression|behavior|binding|import|javascript|progid|position|z-index"
    r"|image-set|fixed|absolute|sticky|transform|[{}<>&]|margin[^;]*-[\d.]|indent[^;]*-[\d.]",
    re.I,
)


def sanitise(html: str, remote_images: bool = False) -> SafeHtml:
    return sanitise_html(
        html,
        remote_images=remote_images,
        cid_url=lambda content_id: "" if content_id == "unknown" else f"/cid/{content_id}",
    )


def page(html: str) -> LexborNode:
    body = LexborHTMLParser(f"<!doctype html><body>{html}").body
    assert body is not None
    return body


def elements(html: str) -> list[LexborNode]:
    return page(html).css("*")[1:]


def assert_harmless(safe: SafeHtml, remote_images: bool = False) -> None:
    """Parsed again, by another parser than the sanitiser's, it holds only what may be shown."""
    document = LexborHTMLParser(f"<!doctype html><body>{safe.html}")
    assert "<!--" not in safe.html
    for node in document.css("*"):
        if node.tag in ("html", "head", "body"):
            assert not node.attributes, node.html
            continue
        assert node.tag in _TAGS, node.html
        for name, value in node.attributes.items():
            assert_harmless_attribute(node.tag or "", name, value or "", remote_images)
        if node.tag == "a":
            assert node.attributes["rel"] == "noopener noreferrer nofollow"
            assert node.attributes["target"] == "_blank"


def assert_harmless_attribute(tag: str, name: str, value: str, remote_images: bool) -> None:
    assert name in _ATTRIBUTES, (tag, name)
    if name in _FREE_TEXT:
        return
    if name == "href":
        assert tag == "a"
        assert _LINK.match(value), value
    elif name == "src":
        assert tag == "img"
        assert _LOCAL_IMAGE.match(value) or (remote_images and _REMOTE_IMAGE.match(value)), value
    elif name == "style":
        for declaration in value.split(";"):
            assert not _HOSTILE_STYLE.search(declaration), value
    else:
        assert ":" not in value, (name, value)
        assert "/" not in value, (name, value)


_PIECES = [
    "<script", "</script>", "<style>", "</style>", "<svg>", "</svg>", "<math>", "<mtext>",
    "<mglyph>", "<a ", "<img ", "<image ", "<table>", "<tr>", "<td>", "</td>", "</table>", "<b>",
    "</b>", "<i>", "<p>", "</p>", "<form>", "<title>", "</title>", "<noscript>", "</noscript>",
    "<template>", "<select>", "<textarea>", "</textarea>", "<div ", "</div>", "<!--", "-->",
    "--!>", "<![CDATA[", "]]>", "<?xml ", ">", "<", "/", "=", '"', "'", "`", "\\", "//", " href=",
    " src=", " style=", " background=", " onerror=", "alert(1)", "javascript:", "data:", "cid:",
    "http:", "https://evil.example", "url(", ")", "/*", "*/", ";", ":", "position:fixed",
    "expression(", "@import", "&#x6a;", "&Tab;", "&colon;", "&quot;", "&lt;", "\x00", "\t", "\n",
    "\x0c", "\xa0", " ", "\ud800", "\u2028", "color:red", "margin:-9px", "<body", "<font color=",
    "<pre>",
]  # fmt: skip
_HOSTILE_TEXT = st.lists(st.sampled_from(_PIECES), max_size=40).map("".join)


@given(_HOSTILE_TEXT | st.text(st.characters()), st.booleans())
@settings(max_examples=600, deadline=None)
def test_any_text_comes_out_harmless(html: str, remote_images: bool) -> None:
    assert_harmless(sanitise(html, remote_images), remote_images)


@given(_HOSTILE_TEXT | st.text(st.characters()))
@settings(max_examples=400, deadline=None)
def test_any_text_has_a_text(html: str) -> None:
    text = html_to_text(html)
    text.encode()
    assert "\n\n\n" not in text
