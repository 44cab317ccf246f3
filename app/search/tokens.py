"""Text into tokens, the same for what is stored and what is asked, whichever engine answers."""

import re
from collections.abc import Iterator
from unicodedata import normalize

# Chinese and Japanese put no space between words: there every character is a token, and what is
# asked for becomes a phrase of them.
_UNSPACED = "\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]{{1,64}}")


def fold(text: str) -> str:
    """Without differences of capitals and width (Unicode NFKC and full case folding)."""
    if text.isascii():
        return text.lower()
    return normalize("NFKC", normalize("NFKC", text).casefold())


def tokenise(text: str) -> list[str]:
    """Runs of letters, digits and underscores, folded. A run over 64 characters is cut into
    several tokens, one behind the other."""
    return _TOKEN.findall(fold(text))


def locate_tokens(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and folded form of each token where it stands in `text`."""
    for match in _TOKEN.finditer(text):
        yield match.start(), match.end(), fold(match[0])
