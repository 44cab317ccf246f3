"""Signed links to raw messages: whoever holds one may download for ten minutes."""

from dataclasses import dataclass
from uuid import UUID

from itsdangerous import BadData, URLSafeTimedSerializer

from app.core.errors import NotFound
from app.core.secrets import Secret
from app.storage.blobs.keys import raw_key

TTL_SECONDS = 600


@dataclass(frozen=True, slots=True)
class RawLink:
    """What a link opens: a raw message, by tenant and SHA-256, and the name it is saved under."""

    tenant_id: UUID
    sha256: str
    message_id: UUID

    @property
    def storage_key(self) -> str:
        return raw_key(self.tenant_id, bytes.fromhex(self.sha256))


class RawLinks:
    """Making and opening signed links."""

    def __init__(self, secret_key: Secret) -> None:
        self._serializer = URLSafeTimedSerializer(secret_key.reveal(), salt="raw-message")

    def sign(self, link: RawLink) -> str:
        return str(self._serializer.dumps([link.tenant_id.hex, link.sha256, link.message_id.hex]))

    def open(self, token: str) -> RawLink:
        """Raises `NotFound` for a link that was changed or is older than ten minutes."""
        try:
            tenant_id, sha256, message_id = self._serializer.loads(token, max_age=TTL_SECONDS)
        except BadData as error:
            raise NotFound("This download link has expired.") from error
        return RawLink(UUID(tenant_id), sha256, UUID(message_id))
