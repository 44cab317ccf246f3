"""The one tree of errors.

Every error that crosses a module is a `PillarboxError` and knows whether trying again may help.
The edges (SMTP replies, HTTP problems, pages, exit codes) translate; nothing below them does.
"""

from typing import ClassVar


class PillarboxError(Exception):
    """Something Pillarbox can name. The message is written for the person who reads it."""

    retryable: ClassVar[bool] = False


class InvalidInput(PillarboxError):
    """The caller sent something that can never succeed as it stands. `field` names the part that
    is wrong, where that is one."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class NotFound(PillarboxError):
    """No such thing, or none that the caller may see: the two are never told apart."""


class AlreadyExists(PillarboxError):
    """The name is taken."""


class InUse(PillarboxError):
    """Other things still need it, so it cannot be removed."""


class NotAllowed(PillarboxError):
    """The caller is known and may not do this."""


class Unauthenticated(PillarboxError):
    """The caller did not show a valid credential."""


class TooManyRequests(PillarboxError):
    """A limit on the rate of calls was reached."""

    retryable = True

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(PillarboxError):
    """A part that we depend on (database, blobs, disk) is down. Nothing was lost; try again."""

    retryable = True


class StorageFull(Unavailable):
    """The disk is too full to promise that anything would be kept."""


class Corrupt(PillarboxError):
    """Stored bytes are not what was written."""


class BadSetting(PillarboxError):
    """A setting is missing or wrong. The message is one line and names the setting."""
