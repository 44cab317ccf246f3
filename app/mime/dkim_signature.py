"""DKIM signatures and keys as they are written (RFC 6376, sections 3.5 and 3.6.1)."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from app.core.errors import PillarboxError
from app.mime.addresses import normalise_domain, split_address
from app.mime.dkim_canonical import RawField

_MAX_TAGS = 50
_MAX_NAMES = 500
# RFC 8301, section 3.2: nothing shorter is valid. Longer ones are no safer, only slower.
_MIN_RSA_BITS = 1024
_MAX_RSA_BITS = 8192
_WHITE_SPACE = re.compile(r"\s+")
_TAG_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_SELECTOR = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,100}[a-z0-9_])?")
_DECIMAL = re.compile(r"[0-9]{1,76}")

PublicKey = RSAPublicKey | Ed25519PublicKey


class BadSignature(PillarboxError):
    """The signature can never be verified. `reason` is a short word for why."""

    def __init__(self, reason: str, domain: str = "") -> None:
        super().__init__(f"The signature cannot be verified: {reason}.")
        self.reason = reason
        self.domain = domain


@dataclass(frozen=True, slots=True)
class Signature:
    """A DKIM-Signature field. `field` is the field itself, which is signed too, without its `b=`.
    `agent_domain` is that of `i=`; `length_bytes` is `l=`."""

    field: RawField
    is_rsa: bool
    domain: str
    selector: str
    agent_domain: str
    is_header_relaxed: bool
    is_body_relaxed: bool
    header_names: tuple[str, ...]
    body_hash: bytes
    signature: bytes
    length_bytes: int | None
    expires_at: datetime | None

    @property
    def key_name(self) -> str:
        return f"{self.selector}._domainkey.{self.domain}"


def read_signature(field: RawField) -> Signature:
    """Raises `BadSignature` for what is malformed, or signed in a way that proves nothing."""
    tags = _read_tags(field.content.partition(b":")[2])
    domain = normalise_domain(tags.get("d", ""))
    try:
        return _make_signature(field, tags, domain)
    except BadSignature as error:
        raise BadSignature(error.reason, domain) from error


def read_key(record: bytes, signature: Signature) -> PublicKey:
    """The key in a TXT record. Raises `BadSignature` where it is none for this signature."""
    tags = _read_tags(record)
    if tags.get("v", "DKIM1") != "DKIM1" or "p" not in tags:
        raise BadSignature("bad-key")
    if not tags["p"]:
        raise BadSignature("key-revoked")
    if tags.get("k", "rsa").lower() != ("rsa" if signature.is_rsa else "ed25519"):
        raise BadSignature("bad-key")
    if "sha256" not in _split(tags.get("h", "sha256")):
        raise BadSignature("bad-key")
    if not {"*", "email"} & set(_split(tags.get("s", "*"))):
        raise BadSignature("bad-key")
    if "s" in _split(tags.get("t", "")) and signature.agent_domain != signature.domain:
        raise BadSignature("bad-key")
    return _load_key(_decode(tags["p"], "bad-key"), is_rsa=signature.is_rsa)


def _make_signature(field: RawField, tags: Mapping[str, str], domain: str) -> Signature:
    selector = tags.get("s", "").lower()
    agent_domain = normalise_domain(split_address(tags.get("i", f"@{domain}"))[1])
    algorithm = tags.get("a", "").lower()
    canonical_header, _, canonical_body = tags.get("c", "simple/simple").lower().partition("/")
    names = tuple(_split(tags.get("h", "")))
    forms = {canonical_header, canonical_body or "simple"}
    if algorithm not in ("rsa-sha256", "ed25519-sha256"):
        raise BadSignature("weak-algorithm" if algorithm == "rsa-sha1" else "malformed")
    if (
        tags.get("v") != "1"
        or not (domain and _SELECTOR.fullmatch(selector))
        or not (agent_domain == domain or agent_domain.endswith(f".{domain}"))
        or not forms <= {"simple", "relaxed"}
        or "dns/txt" not in _split(tags.get("q", "dns/txt"))
        or len(names) > _MAX_NAMES
    ):
        raise BadSignature("malformed")
    if "from" not in names:
        raise BadSignature("from-not-signed")
    expires = _number(tags.get("x"))
    return Signature(
        field=field,
        is_rsa=algorithm == "rsa-sha256",
        domain=domain,
        selector=selector,
        agent_domain=agent_domain,
        is_header_relaxed=canonical_header == "relaxed",
        is_body_relaxed=canonical_body == "relaxed",
        header_names=names,
        body_hash=_decode(tags.get("bh", ""), "malformed"),
        signature=_decode(tags.get("b", ""), "malformed"),
        length_bytes=_number(tags.get("l")),
        expires_at=datetime.fromtimestamp(min(expires, 2**37), UTC) if expires else None,
    )


def _read_tags(value: bytes) -> Mapping[str, str]:
    """Section 3.2. White space in values means nothing in any tag that is read here."""
    try:
        specs = _WHITE_SPACE.sub("", value.decode()).split(";")
    except UnicodeDecodeError as error:
        raise BadSignature("malformed") from error
    tags: dict[str, str] = {}
    for spec in specs:
        name, equals, content = spec.partition("=")
        if not spec:
            continue
        if not equals or name in tags or len(tags) == _MAX_TAGS or not _TAG_NAME.fullmatch(name):
            raise BadSignature("malformed")
        tags[name] = content
    return tags


def _split(value: str) -> list[str]:
    return value.lower().split(":") if value else []


def _number(value: str | None) -> int | None:
    if value is None:
        return None
    if not _DECIMAL.fullmatch(value):
        raise BadSignature("malformed")
    return int(value)


def _decode(value: str, reason: str) -> bytes:
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadSignature(reason) from error
    if not decoded:
        raise BadSignature(reason)
    return decoded


def _load_key(data: bytes, *, is_rsa: bool) -> PublicKey:
    try:
        key = load_der_public_key(data) if is_rsa else Ed25519PublicKey.from_public_bytes(data)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadSignature("bad-key") from error
    if isinstance(key, RSAPublicKey):
        if key.key_size < _MIN_RSA_BITS:
            raise BadSignature("weak-key")
        if key.key_size > _MAX_RSA_BITS:
            raise BadSignature("bad-key")
    elif is_rsa or not isinstance(key, Ed25519PublicKey):
        raise BadSignature("bad-key")
    return key
