"""HTML of mail made safe to show."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from urllib.parse import unquote

import nh3

from app.mime.html_nesting import balance_markup
from app.mime.html_profile import ATTRIBUTES, PRESENTATIONAL_VALUE, TAGS, TEXT_ATTRIBUTES
from app.mime.html_text import html_to_text
from app.mime.inline_style import filter_style

__all__ = ["MAX_HTML_CHARS", "SafeHtml", "html_to_text", "sanitise_html"]

MAX_HTML_CHARS = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SafeHtml:
    """A fragment for a frame without scripts, and how many remote images, of `<img>`, of
    `background` and of CSS, were left out of it."""

    html: str
    remote_images_blocked: int


def sanitise_html(
    html: str, *, remote_image: Callable[[str], str], cid_url: Callable[[str], str]
) -> SafeHtml:
    """The HTML of a message without anything that runs, submits, navigates by itself, or tells
    the sender that it was read. Works on any `str`.

    `remote_image` gives the address to show in place of an `<img>` on the web, or an empty string
    to leave it out. `cid_url` gives the address of the part with a Content-ID (without angle
    brackets, RFC 2392), or an empty string where there is none. What is longer than
    `MAX_HTML_CHARS` or nested beyond what mail needs (see `app.mime.html_nesting`) comes out as its
    text.

    `<style>` blocks are dropped: their selectors can read the message out attribute by attribute,
    and mail that matters is styled inline, since large webmail services drop them too.
    """
    markup = None
    if len(html) <= MAX_HTML_CHARS:
        markup = balance_markup(_UNENCODABLE.sub("\ufffd", html), TAGS)
    if markup is None:
        text = escape(html_to_text(html))
        return SafeHtml(f'<div style="white-space:pre-wrap">{text}</div>', 0)
    attributes = _Attributes(remote_image, cid_url)
    safe = nh3.clean(
        markup,
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=attributes.filter,
        clean_content_tags={"script", "style"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        url_schemes={"cid", "data", "http", "https", "mailto", "tel"},
    )
    return SafeHtml(safe, attributes.blocked)


class _Attributes:
    """Decides on the value of each attribute that the profile lets through."""

    __slots__ = ("_cid_url", "_remote_image", "_styles", "blocked")

    def __init__(self, remote_image: Callable[[str], str], cid_url: Callable[[str], str]) -> None:
        self._remote_image = remote_image
        self._cid_url = cid_url
        self._styles: dict[str, tuple[str, int]] = {}
        self.blocked = 0

    def filter(self, _tag: str, name: str, value: str) -> str | None:
        """The value to keep, or None to drop the attribute."""
        if name in _FIXED or name in TEXT_ATTRIBUTES:
            return value
        if name == "style":
            return self._filter_style(value)
        if name == "href":
            return _link(value)
        if name == "src":
            return self._image(value)
        if name == "background":
            self.blocked += _remote(value) is not None
            return None
        return value if PRESENTATIONAL_VALUE.fullmatch(value) else None

    def _filter_style(self, value: str) -> str | None:
        # Newsletters repeat the same style in every cell.
        found = self._styles.get(value)
        if found is None:
            found = self._styles[value] = filter_style(value)
        self.blocked += found[1]
        return found[0] or None

    def _image(self, value: str) -> str | None:
        url = _plain(value)
        if url[:4].lower() == "cid:":
            return self._cid_url(unquote(url[4:]).strip("<> ")) or None
        if _DATA_IMAGE.fullmatch(url):
            return url
        remote = _remote(value)
        if remote is None:
            return None
        shown = self._remote_image(remote)
        self.blocked += not shown
        return shown or None


def _link(value: str) -> str | None:
    url = _plain(value)
    return url if _OTHER_LINK.match(url) else _remote(value)


def _remote(value: str) -> str | None:
    """An address on the web in full, or None. `//host` gets https."""
    url = _plain(value)
    if url.startswith("//"):
        url = f"https:{url}"
    return url if _WEB_ADDRESS.match(url) else None


def _plain(value: str) -> str:
    """As a browser reads it: without the blanks that it ignores (URL Standard, section 4.4)."""
    return _IGNORED.sub("", value).strip(_CONTROLS)


_UNENCODABLE = re.compile(r"[\x00\ud800-\udfff]")
_IGNORED = re.compile(r"[\t\n\r]")
_CONTROLS = "".join(map(chr, range(0x21)))
_WEB_ADDRESS = re.compile(r"https?://[^/\\?#\s]", re.I)
_OTHER_LINK = re.compile(r"(?:mailto|tel):", re.I)
_DATA_IMAGE = re.compile(
    r"data:image/(?:png|gif|jpe?g|webp)(?:;[\w=.-]++)*?;base64,[A-Za-z0-9+/=%\s]*+", re.I | re.A
)
# Set by the sanitiser itself.
_FIXED = frozenset({"rel", "target"})
