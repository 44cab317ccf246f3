"""What can go wrong with the embedded engines, each said in one line."""

from app.core.errors import PillarboxError


class AlreadyRunning(PillarboxError):
    """Another process holds the folder."""


class NotRunning(PillarboxError):
    """No `pillarbox up` runs on the data folder."""


class EngineFailed(PillarboxError):
    """An engine could not be found, prepared, started or stopped."""


class StartFailed(PillarboxError):
    """`pillarbox up` could not bring everything up."""
