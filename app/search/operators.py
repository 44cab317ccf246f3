"""What each `name:` of the query language means, and what a bare word is taken for."""

import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.mime.addresses import is_valid_address, normalise_address, normalise_domain
from app.search.query import (
    Address,
    And,
    Field,
    Flag,
    HasAttachment,
    HasId,
    HasMessageId,
    InFolder,
    InMailbox,
    Labelled,
    Node,
    Not,
    Or,
    Phrase,
    Prefix,
    Received,
    Size,
    Word,
)
from app.search.tokens import tokenise

EVERY_FOLDER = ("inbox", "archive", "spam", "trash")
MIN_PREFIX_CHARACTERS = 2
_ADDRESS_FIELDS = (Field.ANY, Field.SENDER, Field.RECIPIENT, Field.COPY)


@dataclass(frozen=True, slots=True)
class Context:
    """What a part of a query is read in: the field around it, and where notes go."""

    now: datetime
    notes: list[str]
    field: Field = Field.ANY

    def note(self, text: str) -> None:
        self.notes.append(text)

    def words(self, text: str) -> Node | None:
        """The tokens of `text`, directly behind each other; None where there is none."""
        tokens = tokenise(text)
        if len(tokens) > 1:
            return Phrase(tuple(tokens), self.field)
        return Word(tokens[0], self.field) if tokens else None


def read_word(context: Context, text: str) -> Node | None:
    """What a word without quotes is taken for: a message's id, an address, a domain, the start of
    a word, or a word."""
    if text.startswith("<") and text.endswith(">") and "@" in text:
        return _message_id_or_address(context, text[1:-1])
    if context.field is Field.ANY and (message := _uuid(text)):
        return HasId(message)
    if context.field in _ADDRESS_FIELDS and (address := _address(text)):
        return Address(address, context.field)
    if text.endswith("*") and (stem := tokenise(text)):
        return _prefix(context, stem)
    if unknown := _UNKNOWN_OPERATOR.match(text):
        context.note(f"There is no {unknown[0]} here; it was searched for as words.")
    if "*" in text:
        context.note("A * stands for the rest of a word; elsewhere it finds nothing more.")
    return context.words(text)


_UNKNOWN_OPERATOR = re.compile(r"(?!https?:|mailto:)[a-z_]{3,20}:(?=\w)")


def _prefix(context: Context, stem: list[str]) -> Node | None:
    *before, last = stem
    if len(last) < MIN_PREFIX_CHARACTERS and last.isascii():
        context.note(f"{last}* is too short: two letters are needed before the *.")
        return context.words(" ".join(stem))
    prefix = Prefix(last, context.field)
    whole = context.words(" ".join(before))
    return And((whole, prefix)) if whole else prefix


def _message_id_or_address(context: Context, text: str) -> Node:
    found = HasMessageId(text)
    address = _address(text)
    return Or((found, Address(address, context.field))) if address else found


def _uuid(text: str) -> UUID | None:
    if re.fullmatch(r"[0-9A-Fa-f]{8}(-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}", text):
        return UUID(text)
    return None


# What ends like a domain but is far more often the name of a file.
_FILE_ENDINGS = re.compile(
    r"7z|avi|bmp|conf|cpp|css|csv|docx?|dwg|eml|exe|gif|gz|heic|html?|ics|ini|java|jpe?g|js|json"
    r"|key|log|md|mov|mp3|mp4|msg|od[pst]|pages|pdf|php|png|pptx?|ps1|py|rar|rb|rtf|sh|sql|svg"
    r"|tar|tgz|tiff?|ts|txt|vcf|wav|webp|xls[mx]?|xml|ya?ml|zip"
)


def _address(text: str) -> str:
    """The address or domain that `text` is, normalised; empty if it is neither."""
    text = text.strip("<>,;")
    if "@" in text.lstrip("@"):
        return normalise_address(text) if is_valid_address(text) else ""
    domain = normalise_domain(text.removeprefix("@"))
    ending = domain.rpartition(".")[2]
    is_domain = "." in domain and len(ending) > 1 and not any(map(str.isdigit, ending[:1]))
    return domain if is_domain and (text[0] == "@" or not _FILE_ENDINGS.fullmatch(ending)) else ""


@dataclass(frozen=True, slots=True)
class Operator:
    """`read` makes a node of a value and the time, or None of what is none; `example` tells what
    would have been one."""

    read: Callable[[str, datetime], Node | None]
    example: str


def _has(value: str, _now: datetime) -> Node | None:
    value = value.lower()
    if value in ("attachment", "attachments", "file", "files"):
        return HasAttachment()
    if value in ("label", "labels", "userlabels"):
        return Labelled("")
    if value in ("nolabel", "nouserlabels"):
        return Not(Labelled(""))
    if value.endswith("star"):
        return Flag("starred")
    endings = _KINDS_OF_FILES.get(value, "").split()
    return Or(tuple(Word(ending, Field.FILE_NAME) for ending in endings)) if endings else None


_KINDS_OF_FILES: Mapping[str, str] = {
    "pdf": "pdf",
    "document": "doc docx odt rtf pages pdf",
    "spreadsheet": "xls xlsx xlsm ods csv",
    "presentation": "ppt pptx odp key",
    "image": "png jpg jpeg gif webp heic svg bmp tif tiff",
    "archive": "zip gz tgz tar 7z rar",
    "invitation": "ics",
}


def _is(value: str, _now: datetime) -> Node | None:
    value = value.lower()
    if value in ("read", "starred", "bounce", "auto_reply"):
        return Flag(value)
    if value == "unread":
        return Not(Flag("read"))
    if value == "unstarred":
        return Not(Flag("starred"))
    return InFolder(_FOLDERS[value]) if value in _FOLDERS else None


_FOLDERS: Mapping[str, tuple[str, ...]] = {
    "inbox": ("inbox",),
    "archive": ("archive",),
    "archived": ("archive",),
    "spam": ("spam",),
    "junk": ("spam",),
    "trash": ("trash",),
    "bin": ("trash",),
    "all": ("inbox", "archive"),
    "anywhere": EVERY_FOLDER,
}


def _in(value: str, now: datetime) -> Node | None:
    """A folder; `in:unread` and `in:starred` as Gmail has them; or else a label."""
    return _is(value, now) or Labelled(value)


def _label(value: str, _now: datetime) -> Node | None:
    return Labelled(value)


def _mailbox(value: str, _now: datetime) -> Node | None:
    return InMailbox(normalise_address(value.strip("<>@")))


def _message_id(value: str, _now: datetime) -> Node | None:
    return HasMessageId(value.strip("<>"))


def _id(value: str, _now: datetime) -> Node | None:
    message = _uuid(value)
    return HasId(message) if message else None


def _after(value: str, _now: datetime) -> Node | None:
    days = _days(value)
    return Received(since=days[0]) if days else None


def _before(value: str, _now: datetime) -> Node | None:
    days = _days(value)
    return Received(until=days[0]) if days else None


def _on(value: str, _now: datetime) -> Node | None:
    days = _days(value)
    return Received(*days) if days else None


def _older_than(value: str, now: datetime) -> Node | None:
    moment = _ago(now, value)
    return Received(until=moment) if moment else None


def _newer_than(value: str, now: datetime) -> Node | None:
    moment = _ago(now, value)
    return Received(since=moment) if moment else None


def _larger(value: str, _now: datetime) -> Node | None:
    size = _bytes(value)
    return None if size is None else Size(at_least=size)


def _smaller(value: str, _now: datetime) -> Node | None:
    size = _bytes(value)
    return None if size is None else Size(at_most=size)


_DATE = re.compile(r"(\d{4})(?:[-/.](\d{1,2}))?(?:[-/.](\d{1,2}))?")
_SPAN = re.compile(r"(\d{1,5})\s*(h|d|w|m|y)", re.IGNORECASE)


def _days(value: str) -> tuple[datetime, datetime] | None:
    """The day, month or year that `value` names, or the second since 1970: start and end, UTC."""
    try:
        if value.isascii() and value.isdigit() and len(value) > 8:
            moment = datetime.fromtimestamp(int(value), UTC)
            return moment, moment + timedelta(seconds=1)
        match = _DATE.fullmatch(value)
        if match is None:
            return None
        year, month, day = (int(part) if part else None for part in match.groups())
        start = datetime(year or 0, month or 1, day or 1, tzinfo=UTC)
        if day:
            return start, start + timedelta(days=1)
        return start, _add_months(start, 1 if month else 12)
    except (ValueError, OverflowError, OSError):
        return None


def _ago(now: datetime, value: str) -> datetime | None:
    match = _SPAN.fullmatch(value)
    if match is None:
        return None
    count, unit = int(match[1]), match[2].lower()
    try:
        if unit in "my":
            return _add_months(now, -count * (12 if unit == "y" else 1))
        return now - timedelta(hours=count * {"h": 1, "d": 24, "w": 168}[unit])
    except (ValueError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)


def _add_months(moment: datetime, count: int) -> datetime:
    """So many calendar months later, on the last day where a month is shorter."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + count, 12)
    day = min(moment.day, monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


_MAX_BYTES = 1 << 62
_SIZE = re.compile(r"(\d{1,12})(?:\.(\d{1,3}))?\s*([kmg]?)b?", re.IGNORECASE)


def _bytes(value: str) -> int | None:
    match = _SIZE.fullmatch(value)
    if match is None:
        return None
    unit = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}[match[3].lower()]
    size = int(match[1]) * unit + int((match[2] or "0").ljust(3, "0")) * unit // 1000
    return min(size, _MAX_BYTES)


_A_DATE = "a date such as 2026/11/22"
_A_SPAN = "a span such as 3d, 2w, 6m or 1y"
_A_SIZE = "a size such as 500k or 10M"
_A_FLAG = "is:unread, is:read, is:starred, is:bounce or is:auto_reply"
_A_THING = "has:attachment, has:label, or a kind of file such as has:pdf"

OPERATORS: Mapping[str, Field | Operator] = {
    "from": Field.SENDER,
    "to": Field.RECIPIENT,
    "bcc": Field.RECIPIENT,
    "list": Field.RECIPIENT,
    "cc": Field.COPY,
    "subject": Field.SUBJECT,
    "filename": Field.FILE_NAME,
    "has": Operator(_has, _A_THING),
    "is": Operator(_is, _A_FLAG),
    "in": Operator(_in, "a folder or a label"),
    "label": Operator(_label, "a label"),
    "mailbox": Operator(_mailbox, "a mailbox"),
    "deliveredto": Operator(_mailbox, "a mailbox"),
    "rfc822msgid": Operator(_message_id, "a Message-ID"),
    "id": Operator(_id, "the id of a message"),
    "after": Operator(_after, _A_DATE),
    "newer": Operator(_after, _A_DATE),
    "before": Operator(_before, _A_DATE),
    "older": Operator(_before, _A_DATE),
    "on": Operator(_on, _A_DATE),
    "older_than": Operator(_older_than, _A_SPAN),
    "newer_than": Operator(_newer_than, _A_SPAN),
    "larger": Operator(_larger, _A_SIZE),
    "larger_than": Operator(_larger, _A_SIZE),
    "size": Operator(_larger, _A_SIZE),
    "smaller": Operator(_smaller, _A_SIZE),
    "smaller_than": Operator(_smaller, _A_SIZE),
}
