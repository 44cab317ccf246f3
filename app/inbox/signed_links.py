"""Signed links: whoever holds one may fetch one object for ten minutes, without signing in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer

from app.core.clock import Clock
from app.core.errors import NotFound
from app.core.secrets import Secret
from app.storage.blobs.keys import raw_key

TTL_SECONDS = 600

# What a browser may show in place: pictures that cannot hold script.
SHOWN_IN_PLACE = ("image/gif", "image/jpeg", "image/png", "image/webp")


@dataclass(frozen=True, slots=True)
class RawLink:
    """A raw message: where it lies and which message it is of."""

    tenant_id: UUID
    sha256: str
    message_id: UUID

    @property
    def storage_key(self) -> str:
        return raw_key(self.tenant_id, bytes.fromhex(self.sha256))


@dataclass(frozen=True, slots=True)
class ImageLink:
    """A picture inside a message."""

    storage_key: str
    content_type: str


@dataclass(frozen=True, slots=True)
class SelectionLink:
    """Raw messages that are fetched together."""

    tenant_id: UUID
    message_ids: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class PictureLink:
    """A picture on the web that a message shows."""

    url: str


class SignedLinks:
    """Making and opening links. Opening raises `NotFound` for one that was changed or is older."""

    def __init__(self, secret_key: Secret, clock: Clock) -> None:
        key, signer = secret_key.reveal(), _signer_on(clock)
        self._raw = URLSafeTimedSerializer(key, salt="raw-message", signer=signer)
        self._image = URLSafeTimedSerializer(key, salt="inline-image", signer=signer)
        self._selection = URLSafeTimedSerializer(key, salt="raw-selection", signer=signer)
        self._picture = URLSafeTimedSerializer(key, salt="remote-picture", signer=signer)

    def sign_raw(self, link: RawLink) -> str:
        """The path of the link."""
        token = self._raw.dumps([link.tenant_id.hex, link.sha256, link.message_id.hex])
        return f"/raw/{token}"

    def open_raw(self, token: str) -> RawLink:
        tenant_id, sha256, message_id = _load(self._raw, token)
        return RawLink(UUID(tenant_id), sha256, UUID(message_id))

    def sign_image(self, link: ImageLink) -> str:
        """The path of the link."""
        return f"/image/{self._image.dumps([link.storage_key, link.content_type])}"

    def open_image(self, token: str) -> ImageLink:
        return ImageLink(*_load(self._image, token))

    def sign_selection(self, link: SelectionLink) -> str:
        """The path of the link."""
        ids = [message_id.hex for message_id in link.message_ids]
        return f"/raw-zip/{self._selection.dumps([link.tenant_id.hex, ids])}"

    def open_selection(self, token: str) -> SelectionLink:
        tenant_id, message_ids = _load(self._selection, token)
        return SelectionLink(UUID(tenant_id), [UUID(message_id) for message_id in message_ids])

    def sign_picture(self, link: PictureLink) -> str:
        """The path of the link."""
        return f"/picture/{self._picture.dumps(link.url)}"

    def open_picture(self, token: str) -> PictureLink:
        return PictureLink(_load(self._picture, token))


def _signer_on(clock: Clock) -> type[TimestampSigner]:
    class ClockSigner(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(clock.now().timestamp())

    return ClockSigner


def _load(serializer: URLSafeTimedSerializer, token: str) -> Any:
    try:
        return serializer.loads(token, max_age=TTL_SECONDS)
    except BadData as error:
        raise NotFound("This link has expired.") from error
