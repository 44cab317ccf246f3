"""Message identifiers: Message-ID, In-Reply-To and References (RFC 5322, section 3.6.4)."""

import re

from app.mime.charsets import one_line

MAX_REFERENCES = 100
_MAX_ID_BYTES = 998

_BRACKETED = re.compile(r"<([^<>]++)>")
_WORD = re.compile(r"[^\s<>,;\"()]++")


def parse_message_ids(field: str) -> tuple[str, ...]:
    """The identifiers of an unfolded field in their order, without angle brackets and white space,
    each once. Never fails.

    Words around them (`Your message of Monday <a@b>`) are passed over, and identifiers without
    brackets count only where there is none with them. Of more than `MAX_REFERENCES` the first
    stays, which names the thread, and then the last; one over 998 octets is no identifier.
    """
    found = _BRACKETED.findall(field)
    if not found and "@" in field:
        found = [word for word in _WORD.findall(field) if "@" in word.strip("@")]
    identifiers = dict.fromkeys("".join(one_line(identifier).split()) for identifier in found)
    usable = [each for each in identifiers if 0 < len(each.encode()) <= _MAX_ID_BYTES]
    if len(usable) > MAX_REFERENCES:
        usable[1 : 1 - MAX_REFERENCES] = []
    return tuple(usable)
