"""From the bytes of a mail to a `ParsedMessage`."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from app.core.errors import PillarboxError
from app.mime.addresses import MAX_MAILBOXES, Mailbox, parse_addresses
from app.mime.bodies import read_bodies
from app.mime.charsets import one_line
from app.mime.file_names import INVISIBLE
from app.mime.headers import Header, header_text, read_header, unfold
from app.mime.parsed import MAX_SNIPPET_CHARS, ParsedMessage
from app.mime.parts import read_parts
from app.mime.references import parse_message_ids

MAX_MESSAGE_BYTES = 100 * 1024 * 1024
_MAX_NAME_CHARS = 200
_MAX_DATE_BYTES = 200
# The standard library takes the year 0000 for 2000, as if it had two digits (RFC 5322, 4.3).
_EARLY_YEAR = re.compile(r"[A-Za-z]{3}[\s-]+0[0-9]{3}\b")


class Unparseable(PillarboxError):
    """The bytes are no message at all: nothing of them could be shown as one."""


def parse_message(raw: bytes) -> ParsedMessage:
    """Reads a message (RFC 5322, RFC 2045 to 2049, RFC 6532) as well as it can be read.

    Raises `Unparseable` for bytes without any header field and for more than `MAX_MESSAGE_BYTES`,
    and nothing else, whatever the bytes are. Time and memory are linear in the size of `raw`.
    """
    if len(raw) > MAX_MESSAGE_BYTES:
        raise Unparseable(f"The message is larger than {MAX_MESSAGE_BYTES >> 20} MiB.")
    header = read_header(raw, 0, len(raw))
    if not header.fields:
        raise Unparseable("The message has no header." if raw else "The message is empty.")
    root, tree_defects = read_parts(raw, header)
    bodies = read_bodies(root)
    date = _read_date(header)
    message_ids = _read_ids(header, "message-id")
    return ParsedMessage(
        message_id=message_ids[0] if message_ids else None,
        in_reply_to=_read_ids(header, "in-reply-to"),
        references=_read_ids(header, "references"),
        from_=_read_mailboxes(header, "from"),
        reply_to=_read_mailboxes(header, "reply-to"),
        to=_read_mailboxes(header, "to"),
        cc=_read_mailboxes(header, "cc"),
        subject=header_text(header.first("subject")),
        date=date,
        text=bodies.text,
        html=bodies.html,
        snippet=_make_snippet(bodies.text),
        attachments=bodies.attachments,
        headers=tuple(
            (name[:_MAX_NAME_CHARS], header_text(value)) for name, value in header.fields
        ),
        defects=(*_find_defects(header, date), *tree_defects, *bodies.defects),
    )


def _read_ids(header: Header, name: str) -> tuple[str, ...]:
    return parse_message_ids(" ".join(map(unfold, header.all(name))))


def _read_mailboxes(header: Header, name: str) -> tuple[Mailbox, ...]:
    return parse_addresses(", ".join(map(unfold, header.all(name))))


def _read_date(header: Header) -> datetime | None:
    text = unfold(header.first("date")[:_MAX_DATE_BYTES])
    if _EARLY_YEAR.search(text):
        return None
    try:
        date = parsedate_to_datetime(text)
        date = date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if 1970 <= date.year <= 2999 else None


def _make_snippet(text: str) -> str:
    """The beginning of the text on one line, without what only pads out a preview."""
    line = one_line(text[: 5 * MAX_SNIPPET_CHARS])
    if not line.isprintable():
        line = one_line(INVISIBLE.sub("", line))
    if len(line) <= MAX_SNIPPET_CHARS:
        return line
    return line[: MAX_SNIPPET_CHARS - 1].rstrip() + "…"


def _find_defects(header: Header, date: datetime | None) -> list[str]:
    recipients = (*header.all("to"), *header.all("cc"))
    many = any(field.count(b"@") > MAX_MAILBOXES for field in recipients)
    found = {
        "header-truncated": header.truncated,
        "header-unterminated": header.unterminated,
        "date-unreadable": date is None and bool(header.first("date")),
        "too-many-addresses": many,
    }
    return [name for name, is_present in found.items() if is_present]
