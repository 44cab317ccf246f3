"""Secrets as they lie in the database: sealed with AES-256-GCM (NIST SP 800-38D).

A sealed value is, in bytes: version (1), id of the key (8), nonce (12), ciphertext, its tag (16).
The nonce is random for each value. Version, key id and the caller's context are authenticated
too, so a value that was copied to another row or column does not open there.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.errors import Corrupt, PillarboxError
from app.core.secrets import Secret

_VERSION = b"\x01"
_ID_BYTES = 8
_NONCE_BYTES = 12
_TAG_BYTES = 16


class UnknownEncryptionKey(PillarboxError):
    """A value was sealed with a key that ENCRYPTION_KEY does not hold (any more)."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"A stored secret was sealed with the encryption key {key_id}, which ENCRYPTION_KEY "
            "does not hold: put that key back, after a comma."
        )
        self.key_id = key_id


class Keyring:
    """Seals with the first of `keys` and opens with any of them.

    A key is text with 256 random bits in it, as `openssl rand -base64 32` makes: the AES key and
    the key's id are derived from it (HKDF, RFC 5869), so the id tells nothing of the key.
    """

    def __init__(self, keys: Sequence[Secret]) -> None:
        derived = [_derive(key) for key in keys]
        self._first = derived[0]
        self._by_id = {key.id: key for key in derived}

    def encrypt(self, plain: str, context: str) -> bytes:
        """`plain`, sealed. `context` says where it is kept, such as `SealedColumn.context` does; it
        is not stored, and the same has to be given to open it."""
        nonce = os.urandom(_NONCE_BYTES)
        head = self.sealing_head
        return (
            head + nonce + self._first.cipher.encrypt(nonce, plain.encode(), _bound(head, context))
        )

    def decrypt(self, sealed: bytes, context: str) -> str:
        """What was sealed for `context`.

        Raises `UnknownEncryptionKey` where the key is not among ours, and `Corrupt` where `sealed`
        was changed, is from another context, or was never sealed by us.
        """
        key_id, nonce, ciphertext = _take_apart(sealed)
        key = self._by_id.get(key_id)
        if key is None:
            raise UnknownEncryptionKey(key_id.hex())
        try:
            plain = key.cipher.decrypt(nonce, ciphertext, _bound(_VERSION + key_id, context))
        except InvalidTag:
            raise Corrupt("A stored secret was changed, or belongs elsewhere.") from None
        return plain.decode()

    @property
    def sealing_head(self) -> bytes:
        """What everything begins with that the first key sealed."""
        return _VERSION + self._first.id

    @property
    def key_ids(self) -> Sequence[str]:
        """In hex, the one that seals first."""
        return [key_id.hex() for key_id in self._by_id]


def key_id_of(sealed: bytes) -> str:
    """The key that sealed this, in hex. Raises `Corrupt` for what we never sealed."""
    return _take_apart(sealed)[0].hex()


@dataclass(frozen=True, slots=True)
class _Key:
    id: bytes
    cipher: AESGCM = field(repr=False)


def _derive(key: Secret) -> _Key:
    return _Key(
        id=_expand(key, b"pillarbox key id", _ID_BYTES),
        cipher=AESGCM(_expand(key, b"pillarbox AES-256-GCM", 32)),
    )


def _expand(key: Secret, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(
        key.reveal().encode()
    )


def _bound(head: bytes, context: str) -> bytes:
    """The associated data: `head` has a fixed length, so no two pairs give the same."""
    return head + context.encode()


def _take_apart(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    """Key id, nonce, ciphertext with its tag."""
    head = len(_VERSION) + _ID_BYTES
    if not sealed.startswith(_VERSION) or len(sealed) < head + _NONCE_BYTES + _TAG_BYTES:
        raise Corrupt("A stored secret is not one that Pillarbox sealed.")
    return (
        sealed[len(_VERSION) : head],
        sealed[head : head + _NONCE_BYTES],
        sealed[head + _NONCE_BYTES :],
    )
