"""A message as it is after parsing."""

from dataclasses import dataclass
from datetime import datetime

from app.mime.addresses import Mailbox

MAX_TEXT_CHARS = 1_000_000
MAX_HTML_CHARS = 2_000_000
MAX_SNIPPET_CHARS = 200


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is no body text. `file_name` is for people, `storage_name` for a storage key and
    unique in its message. `content_id` has no angle brackets; `disposition` is the sender's word
    (`attachment`, `inline`) or empty. `is_inline`: the HTML shows it (`cid:`, RFC 2392)."""

    file_name: str
    storage_name: str
    content_type: str
    content: bytes
    content_id: str
    disposition: str
    is_inline: bool

    @property
    def size_bytes(self) -> int:
        return len(self.content)


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """What a message says. No string in it holds NUL or a lone surrogate.

    `text` is what there is to read, at most `MAX_TEXT_CHARS`: of parts that have only HTML, the
    text of that. `html` is as the sender wrote it, empty where no part is HTML, at most
    `MAX_HTML_CHARS`; a body beyond these bounds is an attachment as well. `date` is in UTC and
    None where it is missing, unreadable or outside of 1970 to 2999. `headers` are for people:
    decoded and bounded. `defects` are short words for what was repaired or left out.
    """

    message_id: str | None
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    from_: tuple[Mailbox, ...]
    reply_to: tuple[Mailbox, ...]
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    subject: str
    date: datetime | None
    text: str
    html: str
    snippet: str
    attachments: tuple[Attachment, ...]
    headers: tuple[tuple[str, str], ...]
    defects: tuple[str, ...]
