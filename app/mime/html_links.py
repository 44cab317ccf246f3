"""Plain text as HTML, with the addresses in it as links."""

import re
from collections.abc import Iterator
from html import escape


def link_addresses(text: str) -> str:
    """`text` escaped, and what begins with `http://`, `https://` or `mailto:` made a link.

    A full stop or bracket that belongs to the sentence stays outside of the link. Takes linear
    time; never fails.
    """
    parts = _ADDRESS.split(text)
    return "".join(
        _link(part) if number % 2 else escape(part, quote=False)
        for number, part in enumerate(parts)
    )


def find_addresses(text: str) -> Iterator[str]:
    """What in `text` begins with `http://`, `https://` or `mailto:`, in its order, without the full
    stop or bracket of the sentence around it. Takes linear time."""
    for found in _ADDRESS.finditer(text):
        yield _trim(found[0])


def _trim(found: str) -> str:
    address = found.rstrip(_SENTENCE)
    for _ in range(_MAX_BRACKETS):
        close = address[-1]
        if close not in _BRACKETS or address.count(_BRACKETS[close]) >= address.count(close):
            break
        address = address[:-1].rstrip(_SENTENCE)
    return address


def _link(found: str) -> str:
    address = _trim(found)
    rest = escape(found[len(address) :], quote=False)
    if not _WHOLE.fullmatch(address):
        return escape(address, quote=False) + rest
    address = escape(address)
    return f'<a href="{address}" {_CAREFULLY}>{address}</a>{rest}'


_CAREFULLY = 'rel="noopener noreferrer nofollow" target="_blank"'
_MAX_CHARS = 2000
_MAX_BRACKETS = 10
_ADDRESS = re.compile(
    rf"((?<![\w.+-])(?:https?://|mailto:)[^\s<>\"\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e"
    rf"\u2066-\u2069]{{1,{_MAX_CHARS}}})",
    re.I,
)
# Nothing before an `@`: `https://bank.example@elsewhere.example` is there to deceive.
_WHOLE = re.compile(r"https?://[^/\\?#@]+(?:[/?#][^\\]*)?|mailto:[^/\\@]+@[^/\\]+", re.I)
_SENTENCE = ".,;:!?'*_"
_BRACKETS = {")": "(", "]": "[", "}": "{"}
