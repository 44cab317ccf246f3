"""E-mail addresses: read from header fields, checked, and normalised for lookup."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from unicodedata import normalize

import idna

from app.mime.charsets import one_line
from app.mime.encoded_words import decode_words

MAX_MAILBOXES = 1000
_MAX_FIELD_CHARS = 256 * 1024
_MAX_NAME_CHARS = 500
_MAX_ADDRESS_CHARS = 500

_TOKEN = re.compile(
    r'"(?P<quoted>[^"\\]*+(?:\\.[^"\\]*+)*)"?'
    r'|<(?P<angle>[^"<>,;]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*"[^"<>,;]*+)*)>?'
    r"|(?P<word>=\?[^?\s]{1,60}\?[BbQq]\?[^?\s]*+\?=)"
    r"|(?P<atom>(?:[^][\s\"<>,;:()]++|\[[^][\s]*+\]?)+)"
    r"|(?P<end>[,;][,;\s]*+)"
    r"|(?P<space>\s++)"
    r"|(?P<mark>.)",
    re.S,
)
_ESCAPED = re.compile(r"\\(.)", re.S)
_ROUTE = re.compile(r"\s*+@[^:]*+:")
_SPECIAL = re.compile(r'[()<>\[\]:;@\\,."]')
_ATOM = r"[^\x00-\x20\x7f-\xa0\"(),.:;<>@\[\\\]\ud800-\udfff]"
_LOCAL_PART = re.compile(rf"{_ATOM}++(?:\.{_ATOM}++)*")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name, decoded, and an address as it was written. Either may be empty."""

    name: str
    address: str

    def __str__(self) -> str:
        """As in a header field (RFC 5322, section 3.4), with the name in any script."""
        if not (self.name and self.address):
            return self.name or self.address
        name = self.name
        if _SPECIAL.search(name):
            name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return f"{name} <{self.address}>"


def parse_addresses(field: str) -> tuple[Mailbox, ...]:
    """The mailboxes of an unfolded header field, at most `MAX_MAILBOXES`. Never fails; linear.

    Groups are flattened, comments serve as names where there is no other, and what has no address
    is kept as a name alone (RFC 5322, sections 3.4 and 4.4).
    """
    return tuple(islice(_read_mailboxes(field[:_MAX_FIELD_CHARS]), MAX_MAILBOXES))


def split_address(address: str) -> tuple[str, str]:
    """Local part and domain; the domain is empty where there is no `@`."""
    local_part, at, domain = address.rpartition("@")
    return (local_part, domain) if at else (domain, "")


def normalise_address(address: str) -> str:
    """The form under which an address is looked up: the whole of it in lower case, the domain in
    ASCII. Two spellings of one hosted mailbox become equal. Never fails."""
    local_part, domain = split_address(address)
    local_part = normalize("NFC", local_part).lower()
    return f"{local_part}@{normalise_domain(domain) or domain.lower()}" if domain else local_part


@lru_cache(maxsize=1024)
def normalise_domain(domain: str) -> str:
    """A domain name in lower case and ASCII (IDNA 2008, RFC 5891), without a final dot; empty for
    what is no domain name."""
    if not domain.isascii() and len(domain) <= 253:
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return ""
    domain = domain.lower().removesuffix(".")
    return domain if _DOMAIN.fullmatch(domain) else ""


def is_valid_address(address: str) -> bool:
    """Whether mail can be sent to it: a dot-atom, also in UTF-8 (RFC 6531), at a domain name,
    within the lengths of RFC 5321, section 4.5.3.1."""
    local_part, domain = split_address(address)
    return (
        len(local_part.encode("utf-8", "replace")) <= 64
        and len(address) <= 254
        and bool(_LOCAL_PART.fullmatch(local_part))
        and bool(normalise_domain(domain))
    )


def strip_subaddress(address: str) -> str:
    """The address without its `+detail` (RFC 5233)."""
    local_part, domain = split_address(address)
    user, plus, _ = local_part.partition("+")
    return f"{user}@{domain}" if user and plus and domain else address


def _read_mailboxes(field: str) -> Iterator[Mailbox]:
    draft = _Draft()
    start = depth = 0
    for token in _TOKEN.finditer(field):
        text, kind = token[0], token.lastgroup or ""
        if kind == "mark" and text in "()":
            depth = max(0, depth + (1 if text == "(" else -1))
        elif depth:
            draft.comment.append(text)
        elif kind == "end":
            yield from draft.finish()
            draft, start = _Draft(), token.end()
        elif text == ":":
            draft = _Draft()  # what came before was the name of a group
        elif kind == "quoted" and (len(text) == 1 or not text.endswith('"')):
            yield from _read_mailboxes(field[start:].replace('"', " "))
            return
        elif kind != "mark":
            draft.add(kind, token[kind], text)
    if depth:  # a parenthesis that nobody closed is no comment
        yield from _read_mailboxes(field[start:].replace("(", " "))
    else:
        yield from draft.finish()


class _Draft:
    """One mailbox while it is read."""

    def __init__(self) -> None:
        self.comment: list[str] = []
        self._words: list[str] = []
        self._address: str | None = None
        self._quoted = ""

    def add(self, kind: str, value: str, text: str) -> None:
        quoted, self._quoted = self._quoted, ""
        if kind == "angle":
            self._address = _ROUTE.sub("", value)
        elif kind == "quoted":
            self._words.append(_ESCAPED.sub(r"\1", value))
            self._quoted = text
        elif kind != "space":
            if quoted and text.startswith("@"):
                self._words[-1] = quoted + text
            else:
                self._words.append(text)

    def finish(self) -> Iterator[Mailbox]:
        """The mailbox, if there is anything of one."""
        address = self._address
        if address is None:
            address = self._take_bare_address()
        address = one_line(address)
        if '"' not in address:
            address = address.replace(" ", "")
        if len(address) > _MAX_ADDRESS_CHARS:
            address = ""
        name = _name(" ".join(self._words)) or _name("".join(self.comment))
        if name or address:
            yield Mailbox(name, address)

    def _take_bare_address(self) -> str:
        """The address that stands without angle brackets, taken out of the words."""
        for index, word in enumerate(self._words):
            if "@" in word.strip("@"):
                return self._words.pop(index)
        address = "".join(self._words)
        if "@" not in address:
            return ""
        self._words.clear()
        return address


def _name(text: str) -> str:
    return one_line(decode_words(text))[:_MAX_NAME_CHARS].strip()
