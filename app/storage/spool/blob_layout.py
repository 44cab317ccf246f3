"""Where things lie in a spool of objects: `PREFIX/PRODUCER/NUMBER`, one sealed segment each."""

import re
from dataclasses import dataclass

from app.storage.blobs.rules import require_key

_SEGMENT = re.compile(r"([^/]+)/([0-9]{16})")
# `/` and what follows it sort before this sign and what follows that.
_AFTER_SLASH = chr(ord("/") + 1)


@dataclass(frozen=True, slots=True)
class SegmentKeys:
    """The keys of one spool. Raises `InvalidInput` when the prefix is no key itself."""

    prefix: str

    def __post_init__(self) -> None:
        require_key(self.prefix)

    @property
    def folder(self) -> str:
        """What all keys of the spool start with."""
        return f"{self.prefix}/"

    def folder_of(self, producer: str) -> str:
        return f"{self.prefix}/{producer}/"

    def key(self, producer: str, number: int) -> str:
        return f"{self.folder_of(producer)}{number:016d}"

    def last_before(self, producer: str, number: int) -> str:
        """The key after which the segment with this number is the next there can be."""
        return self.key(producer, number - 1) if number else self.folder_of(producer)

    def after(self, producer: str) -> str:
        """Sorts after every key of the producer and before every key of those that follow."""
        return f"{self.prefix}/{producer}{_AFTER_SLASH}"

    def parse(self, key: str) -> tuple[str, int] | None:
        """The producer and the number; None when the object is no segment."""
        match = _SEGMENT.fullmatch(key.removeprefix(self.folder))
        return (match[1], int(match[2])) if match else None
