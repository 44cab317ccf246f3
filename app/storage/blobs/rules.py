"""Which keys and metadata every store accepts: what both a folder and S3 can keep unchanged."""

import re
from collections.abc import Mapping

from app.core.errors import InvalidInput

_SEGMENT = re.compile(r"[A-Za-z0-9._=@+-]{1,240}")
_PREFIX = re.compile(r"([A-Za-z0-9._=@+-]{1,240}/)*[A-Za-z0-9._=@+-]{0,240}")
_METADATA_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_METADATA_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
_MAX_KEY_SIZE_BYTES = 1024
_MAX_METADATA_SIZE_BYTES = 2048


def require_key(key: str) -> str:
    """The key itself. Raises `InvalidInput` unless it is one, of at most 1024 bytes.

    Both limits are those of a store: S3's for the key, and a file name's for each segment.
    """
    segments = key.split("/")
    if len(key) > _MAX_KEY_SIZE_BYTES or not all(map(_SEGMENT.fullmatch, segments)):
        raise InvalidInput(f"{key[:80]!r} is not an object key.")
    if not {".", ".."}.isdisjoint(segments):
        raise InvalidInput(f"{key[:80]!r} has a segment that leads elsewhere.")
    return key


def require_prefix(prefix: str) -> str:
    """The prefix itself. Raises `InvalidInput` unless some key could start with it."""
    folder = prefix.rpartition("/")[0]
    if len(prefix) > _MAX_KEY_SIZE_BYTES or not _PREFIX.fullmatch(prefix):
        raise InvalidInput(f"{prefix[:80]!r} is not the start of an object key.")
    if folder:
        require_key(folder)
    return prefix


def require_metadata(metadata: Mapping[str, str]) -> Mapping[str, str]:
    """The metadata itself. Raises `InvalidInput` for what an HTTP header would change.

    Names are lower-case letters, digits and hyphens; values are printable ASCII that neither
    starts nor ends with a space and is not empty; 2 KB in all (Amazon S3, "Working with object
    metadata").
    """
    for name, value in metadata.items():
        if not _METADATA_NAME.fullmatch(name) or not _METADATA_VALUE.fullmatch(value):
            raise InvalidInput(f"The metadata {name!r} is not plain ASCII text.")
    if sum(len(name) + len(value) for name, value in metadata.items()) > _MAX_METADATA_SIZE_BYTES:
        raise InvalidInput("The metadata of one object is limited to 2 KB.")
    return metadata
