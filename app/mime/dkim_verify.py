"""Whether the header of a message is what a key signed (RFC 6376, section 3.7)."""

import hashlib
import re
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from app.mime.dkim_canonical import RawField, canonicalise_field, select_fields
from app.mime.dkim_signature import PublicKey, Signature

_SIGNATURE_TAG = re.compile(rb"(\s*+b\s*+=).*", re.S)


def is_header_signed(signature: Signature, fields: Sequence[RawField], key: PublicKey) -> bool:
    """`fields` are all those of the message. A few milliseconds of work for the largest key."""
    signed = _signed_octets(signature, fields)
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(signature.signature, signed, PKCS1v15(), SHA256())
        else:  # RFC 8463, section 3: what is signed is the hash
            key.verify(signature.signature, hashlib.sha256(signed).digest())
    except InvalidSignature:
        return False
    return True


def _signed_octets(signature: Signature, fields: Sequence[RawField]) -> bytes:
    """The fields that are named, then the signature's own with nothing in its `b=` and no CRLF."""
    is_relaxed = signature.is_header_relaxed
    named = [
        canonicalise_field(field.content, is_relaxed=is_relaxed)
        for field in select_fields(fields, signature.header_names)
    ]
    name, _, value = signature.field.content.partition(b":")
    emptied = b";".join(_SIGNATURE_TAG.sub(rb"\1", tag, count=1) for tag in value.split(b";"))
    own = canonicalise_field(name + b":" + emptied, is_relaxed=is_relaxed)
    return b"".join(named) + own.removesuffix(b"\r\n")
