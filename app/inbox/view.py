"""What a list shows of the mail that somebody may see."""

from enum import StrEnum
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace


class Folder(StrEnum):
    """Where a message lies: always in exactly one of them."""

    INBOX = "inbox"
    ARCHIVE = "archive"
    SPAM = "spam"
    TRASH = "trash"


ALL_MAIL = "all"
"""Stands for inbox and archive together."""


class View(Struct, frozen=True):
    """A choice of messages. Without a folder, starred mail and labels reach into all but the
    trash; a view that names nothing at all shows every message."""

    mailbox_id: UUID | None = None
    folder: str = ""
    starred: bool = False
    unread: bool = False
    label_id: UUID | None = None

    @property
    def condition(self) -> str:
        """As SQL on `message`, in constants, so that partial indexes are found. The label is not
        in it."""
        parts = []
        if self.folder == ALL_MAIL:
            parts.append("folder in ('inbox', 'archive')")
        elif self.folder:
            parts.append(f"folder = '{Folder(self.folder).value}'")
        elif self.starred or self.unread or self.label_id:
            parts.append("folder <> 'trash'")
        if self.starred:
            parts.append("is_starred")
        if self.unread:
            parts.append("not is_read")
        return " and ".join(parts) or "true"

    def query(self, **changes: Any) -> str:
        """The part of an address after `?` that stands for this view, with some of it changed."""
        return _query(self, **changes)


@lru_cache(4096)
def _query(view: View, **changes: Any) -> str:
    """A page of a list asks for a dozen of them, the next page for the same ones."""
    view = replace(view, **changes)
    values = {
        "mailbox": view.mailbox_id,
        "folder": "" if view.folder == Folder.INBOX else view.folder,
        "starred": int(view.starred),
        "unread": int(view.unread),
        "label": view.label_id,
    }
    return urlencode({name: str(value) for name, value in values.items() if value})
