"""What an outgoing call may end with, beside an answer."""

from app.core.errors import InvalidInput, Unavailable


class TargetRefused(InvalidInput):
    """The address cannot be called from here as it stands: its form, its port or its host."""


class Unreachable(Unavailable):
    """There was no answer, or none that holds to its protocol. It may come another time."""
