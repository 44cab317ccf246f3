"""Pages of lists that are walked by keyset: where the last one ended, as an opaque cursor."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from app.core.errors import InvalidInput

PAGE_ROWS = 50

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, and the cursor of the next ones; None at the end."""

    rows: Sequence[Row]
    next_cursor: str | None


def cut_page(rows: Sequence[Row], limit: int, key: Callable[[Row], Sequence[str]]) -> Page[Row]:
    """A page of `limit` rows out of one row more, if there are as many. `key` says what orders
    a row."""
    if len(rows) <= limit:
        return Page(rows, None)
    return Page(rows[:limit], encode_key(key(rows[limit - 1])))


def encode_key(key: Sequence[str]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(list(key))).decode().rstrip("=")


def decode_key(cursor: str, parts: int) -> Sequence[str]:
    """Raises `InvalidInput` for a cursor that is not ours."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key: list[str] = msgspec.json.decode(text, type=list[str])
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise InvalidInput("This cursor is not one of ours.") from error
    if len(key) != parts or any("\0" in part for part in key):
        raise InvalidInput("This cursor is not one of ours.")
    return key
