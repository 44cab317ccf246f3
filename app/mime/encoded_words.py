"""Encoded words in header fields (RFC 2047), read as senders write them."""

import binascii
import re
from collections.abc import Iterator

from app.mime.charsets import decode_text
from app.mime.transfer import decode_base64

_WORD = re.compile(r"=\?([^?\s*]{1,60})(?:\*[^?\s]{0,60})?\?([BbQq])\?([^?]*+)\?=")


def decode_words(text: str) -> str:
    """`text` with its encoded words decoded; white space between two of them disappears.

    Lenient where senders are wrong: words inside quotes or beside other text, spaces in a word,
    characters cut in two between words of one charset. Never fails; what is no word stays.
    """
    if "=?" not in text:
        return text
    decoded: list[str] = []
    charset, octets = "", list[bytes]()
    for plain, word in _split(text):
        if octets and (plain or word is None or word[0] != charset):
            decoded.append(decode_text(b"".join(octets), charset))
            octets.clear()
        decoded.append(plain)
        if word is not None:
            charset = word[0]
            octets.append(word[1])
    return "".join(decoded)


def _split(text: str) -> Iterator[tuple[str, tuple[str, bytes] | None]]:
    """Pairs of (text before the word, the word's charset and octets); None after the last word."""
    end = 0
    for match in _WORD.finditer(text):
        plain = text[end : match.start()]
        yield ("" if end and plain.isspace() else plain), (match[1].lower(), _octets(match))
        end = match.end()
    yield text[end:], None


def _octets(word: re.Match[str]) -> bytes:
    data = word[3].encode("utf-8", "replace")
    if word[2] in "Bb":
        return decode_base64(data)[0]
    return binascii.a2b_qp(data.replace(b" ", b"_"), header=True)
