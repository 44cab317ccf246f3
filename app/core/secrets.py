"""Secrets that do not show themselves in a repr, and tokens kept only as hashes."""

import base64
import hashlib
from dataclasses import dataclass, field

from app.core.ids import Ids


@dataclass(frozen=True, slots=True)
class Secret:
    """A value whose repr and str never reveal it; `reveal()` where it is used."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        return self._value

    def __str__(self) -> str:
        return "[secret]"


def new_token(ids: Ids) -> str:
    """128 random bits as 22 characters that are safe in a URL."""
    return base64.urlsafe_b64encode(ids.random_bytes(16)).rstrip(b"=").decode()


def hash_token(token: str) -> bytes:
    """What is stored of a token. Tokens are random, so a plain SHA-256 cannot be reversed."""
    return hashlib.sha256(token.encode()).digest()
