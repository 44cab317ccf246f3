"""Where each kind of object lies in the store."""

from uuid import UUID


def raw_key(tenant_id: UUID, sha256: bytes) -> str:
    """A raw message, with the trace fields that we put on top."""
    return f"raw/{tenant_id}/{sha256.hex()}"


def split_raw_key(key: str) -> tuple[UUID, bytes] | None:
    """The tenant and SHA-256 of a raw message's key; None for any other object."""
    kind, _, rest = key.partition("/")
    if kind != "raw":
        return None
    tenant_id, _, sha256 = rest.partition("/")
    return UUID(tenant_id), bytes.fromhex(sha256)


def attachment_key(tenant_id: UUID, message_id: UUID, safe_name: str) -> str:
    return f"{tenant_id}/{message_id}/{safe_name}"


def quarantine_key(item_id: UUID) -> str:
    return f"quarantine/{item_id}"
