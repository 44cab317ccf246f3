"""Remote pictures of a mail, fetched for the reader, so that the sender learns nothing of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.core.egress.client import Bounds, Egress
from app.core.errors import PillarboxError
from app.core.log import get_logger

MAX_BYTES = 5 * 1024 * 1024
_BOUNDS = Bounds(max_bytes=MAX_BYTES, total_seconds=10, connect_seconds=5)
_AT_ONCE = 32
_log = get_logger("pictures")

# What a file begins with, and the type that it therefore has.
_SIGNATURES: Sequence[tuple[bytes, int, bytes, str]] = (
    (b"\x89PNG\r\n\x1a\n", 0, b"", "image/png"),
    (b"GIF87a", 0, b"", "image/gif"),
    (b"GIF89a", 0, b"", "image/gif"),
    (b"\xff\xd8\xff", 0, b"", "image/jpeg"),
    (b"RIFF", 8, b"WEBP", "image/webp"),
)
_TYPES = frozenset({"image/gif", "image/jpeg", "image/jpg", "image/png", "image/webp"})


@dataclass(frozen=True, slots=True)
class Picture:
    """`content_type` is what the bytes are, whatever they were said to be."""

    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class RemotePictures:
    """Fetches pictures, a few at a time, and tells their hosts nothing of who looks at them."""

    egress: Egress
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def fetch(self, url: str) -> Picture | None:
        """The picture, or None where there is none to show: the host may not be called or does
        not answer, or what comes is too large or no picture of a kind without scripts."""
        async with self.places:
            try:
                answer = await self.egress.send(
                    "GET", url, _BOUNDS, headers={"accept": ", ".join(sorted(_TYPES))}
                )
            except PillarboxError as error:
                _log.info("picture.failed", reason=type(error).__name__)
                return None
        said = answer.header("content-type").partition(";")[0].strip().lower()
        kind = _recognise(answer.content)
        if answer.status != 200 or answer.is_cut or said not in _TYPES or not kind:
            _log.info("picture.refused", status=answer.status, size_bytes=len(answer.content))
            return None
        return Picture(kind, answer.content)


def _recognise(content: bytes) -> str:
    """The type of a picture, or an empty string for everything else."""
    for start, offset, then, kind in _SIGNATURES:
        if content.startswith(start) and content.startswith(then, offset):
            return kind
    return ""
