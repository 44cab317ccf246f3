"""Secrets and signatures as the Standard Webhooks specification has them (version 1.0.0)."""

import base64
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from app.core.ids import Ids
from app.core.secrets import Secret

SECRET_PREFIX = "whsec_"  # noqa: S105
_SECRET_BYTES = 32


def new_secret(ids: Ids) -> Secret:
    """256 random bits as `whsec_` and their base64."""
    return Secret(SECRET_PREFIX + base64.b64encode(ids.random_bytes(_SECRET_BYTES)).decode())


def message_id(delivery_id: UUID) -> str:
    """The `webhook-id`: the same for each try to tell an endpoint of an event."""
    return f"msg_{delivery_id.hex}"


def sign(secret: Secret, webhook_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the base64 of an HMAC with SHA-256 over id, timestamp and body, with full stops
    between them. The key is what the secret encodes, not its text."""
    key = base64.b64decode(secret.reveal().removeprefix(SECRET_PREFIX))
    signed = b"%s.%d.%s" % (webhook_id.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def signed_headers(
    secrets: Sequence[Secret], delivery_id: UUID, at: datetime, body: bytes
) -> Mapping[str, str]:
    """The headers of one try. While a secret is being replaced, both sign."""
    webhook_id, timestamp = message_id(delivery_id), int(at.timestamp())
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(
            sign(secret, webhook_id, timestamp, body) for secret in secrets
        ),
    }
