"""The web addresses in a message, for programs that go on from them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from itertools import islice

from app.mime.html_links import find_addresses
from app.mime.html_text import html_to_text
from app.mime.html_tokens import read_attributes, split_markup

MAX_LINKS = 200
MAX_URL_CHARS = 8_000
_MAX_TEXT_CHARS = 200
_MAX_READ_CHARS = 500_000
_MAX_TAGS = 50_000
_MAX_ANCHORS = 1_000


@dataclass(frozen=True, slots=True)
class Link:
    """`url` as it was written, wrapped or not; `text` is what a reader sees of it."""

    url: str
    text: str


def find_links(html: str, text: str) -> list[Link]:
    """Each `http` and `https` address once, in the order of the message: those of its HTML, then
    those that stand in its text alone. At most `MAX_LINKS`, of the first half million characters
    of each.

    What an anchor shows is not taken for an address of its own. Takes linear time; never fails.
    """
    anchors = list(islice(_anchors(html[:_MAX_READ_CHARS]), _MAX_ANCHORS))
    shown = {url for link in anchors for url in find_addresses(link.text)}
    written = (Link(url, url) for url in find_addresses(text[:_MAX_READ_CHARS]) if url not in shown)
    return _first_of_each([*anchors, *written])


def _first_of_each(links: Iterable[Link]) -> list[Link]:
    """The text is the first that says something: pictures are often links beside a word."""
    texts: dict[str, str] = {}
    for link in links:
        if _WEB.match(link.url) and len(link.url) <= MAX_URL_CHARS:
            texts[link.url] = texts.get(link.url) or link.text[:_MAX_TEXT_CHARS]
            if len(texts) > MAX_LINKS:
                texts.popitem()
                break
    return [Link(url, text) for url, text in texts.items()]


_WEB = re.compile(r"https?://[^/?#\s]", re.I)


def _anchors(html: str) -> Iterator[Link]:
    url: str | None = None
    pieces: list[str] = []
    for text, tag, slash, name in split_markup(html, _MAX_TAGS):
        pieces.append(text)
        if name is None:
            continue
        name = name.lower()
        if name == "a":
            # An anchor ends where the next begins (HTML Standard, section 13.2.6.4.7).
            if url is not None:
                yield Link(url, _read(pieces))
            url, pieces = (None, []) if slash else (_target(tag or ""), [])
        elif url is None:
            pieces.clear()
        elif name == "img" and not slash:
            pieces.append(f" {escape(dict(read_attributes(tag or '')).get('alt', ''))} ")
        else:
            pieces.append(tag or "")
    if url is not None:
        yield Link(url, _read(pieces))


def _target(tag: str) -> str | None:
    for name, value in read_attributes(tag):
        if name == "href":
            return _INVISIBLE.sub("", value)
    return None


# What a browser takes out of an address (URL Standard, section 4.4).
_INVISIBLE = re.compile(r"^[\x00-\x20]+|[\x00-\x20]+$|[\t\n\r]")


def _read(pieces: Iterable[str]) -> str:
    return " ".join(html_to_text("".join(pieces)).split())
