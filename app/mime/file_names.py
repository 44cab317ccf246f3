"""Names of attachments: one for people to read, one that is safe as part of a storage key."""

import mimetypes
import re
from collections.abc import Collection
from itertools import chain, count
from unicodedata import normalize

from app.mime.charsets import one_line

MAX_STORAGE_NAME_CHARS = 120
MAX_DISPLAY_NAME_CHARS = 150

INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u2060-\u2064\ufeff]")
_NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9.=@+-]+")
_EXTENSION = re.compile(r"(?<=[^.])\.[A-Za-z0-9]{1,15}\Z")

# The tables of the machine are left out, so that a name is the same wherever it is made.
_TYPES = mimetypes.MimeTypes(filenames=())
_USUAL_NAMES = {
    "application/ms-tnef": "winmail.dat",
    "application/pgp-signature": "signature.asc",
    "application/pkcs7-mime": "smime.p7m",
    "application/pkcs7-signature": "smime.p7s",
    "application/x-pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-signature": "smime.p7s",
    "message/delivery-status": "delivery-status.txt",
    "message/disposition-notification": "disposition-notification.txt",
    "message/rfc822": "message.eml",
    "text/calendar": "invite.ics",
    "text/html": "message.html",
    "text/plain": "message.txt",
    "text/rfc822-headers": "headers.txt",
    "text/vcard": "contact.vcf",
    "text/x-vcard": "contact.vcf",
}


def display_file_name(name: str, content_type: str) -> str:
    """`name` for a page: one line, no path, no direction overrides, not hidden, bounded, never
    empty. A part without a name gets the usual one for its type."""
    name = re.split(r"[/\\]", INVISIBLE.sub("", one_line(name)))[-1].strip(". ")
    if not name:
        return _usual_name(content_type)
    return _cut(*_split_extension(name), MAX_DISPLAY_NAME_CHARS)


def safe_file_name(name: str, content_type: str, taken: Collection[str]) -> str:
    """`name` as one segment of a storage key: `[A-Za-z0-9._=@+-]`, at most
    `MAX_STORAGE_NAME_CHARS`, not hidden, with its extension, and unlike every name in `taken`,
    whatever the case of letters."""
    stem, extension = _split_extension(display_file_name(name, content_type))
    stem = normalize("NFKD", stem).encode("ascii", "ignore").decode()
    stem = _NOT_IN_KEYS.sub("_", stem).strip("._-") or "attachment"
    used = {each.lower() for each in taken}
    # Counted from what is taken, so that a thousand equal names are not a million comparisons.
    numbered = (f"-{number}{extension}" for number in count(len(used) + 1))
    names = (_cut(stem, each, MAX_STORAGE_NAME_CHARS) for each in chain((extension,), numbered))
    return next(each for each in names if each.lower() not in used)


def _cut(stem: str, suffix: str, max_chars: int) -> str:
    return stem[: max_chars - len(suffix)] + suffix


def _split_extension(name: str) -> tuple[str, str]:
    if match := _EXTENSION.search(name):
        return name[: match.start()], match[0]
    return name, ""


def _usual_name(content_type: str) -> str:
    if usual := _USUAL_NAMES.get(content_type):
        return usual
    stem = "image" if content_type.startswith("image/") else "attachment"
    return stem + (_TYPES.guess_extension(content_type) or ".bin")
