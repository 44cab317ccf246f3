"""Identifiers: UUID version 7 (RFC 9562, section 5.7), so that ids sort by creation."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from uuid_utils.compat import uuid7

_VERSION_AND_VARIANT_MASK = ~((0xF << 76) | (0x3 << 62))
_VERSION_7 = (0x7 << 76) | (0x2 << 62)


@dataclass(frozen=True, slots=True)
class Ids:
    """Where new identifiers and random tokens come from; tests pass their own."""

    new: Callable[[], UUID] = uuid7
    random_bytes: Callable[[int], bytes] = secrets.token_bytes


def derive_id(parent: UUID, *parts: bytes) -> UUID:
    """The same UUIDv7 for the same inputs, with the time of `parent`.

    A retried step thereby names the same row and the same object as its first try did.
    """
    digest = hashlib.sha256(b"\0".join((parent.bytes, *parts))).digest()
    value = int.from_bytes(parent.bytes[:6] + digest[:10], "big")
    return UUID(int=(value & _VERSION_AND_VARIANT_MASK) | _VERSION_7)
