"""Which events an endpoint is told of."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.core.errors import InvalidInput
from app.eventlog.event import Event
from app.eventlog.types import EventType

_OWN = "webhook."
_ACCESS = "access."
_ANY = ".*"
# What webhooks tell of themselves would go round in circles.
OFFERED_TYPES: Sequence[str] = [kind.value for kind in EventType if not kind.startswith(_OWN)]
_GROUPS = frozenset(kind.partition(".")[0] + _ANY for kind in OFFERED_TYPES)


@dataclass(frozen=True, slots=True)
class Selection:
    """Types, or whole groups as `message.*`; none stands for all but `access.*`, which has to be
    named. Of mailboxes none stands for all, and for what belongs to no mailbox."""

    types: Sequence[str]
    mailbox_ids: Sequence[UUID]

    def wants(self, event: Event) -> bool:
        return self._wants_type(event.type) and (
            not self.mailbox_ids or event.mailbox_id in self.mailbox_ids
        )

    @property
    def wanted_types(self) -> Sequence[str]:
        """Each by its whole name."""
        return [kind for kind in OFFERED_TYPES if self._wants_type(kind)]

    def _wants_type(self, kind: str) -> bool:
        if kind.startswith(_OWN):
            return False
        if not self.types:
            return not kind.startswith(_ACCESS)
        return kind in self.types or kind.partition(".")[0] + _ANY in self.types


def check_types(types: Sequence[str]) -> Sequence[str]:
    """Each once, in order. Raises `InvalidInput` for one that nothing ever has."""
    for kind in types:
        if kind not in OFFERED_TYPES and kind not in _GROUPS:
            raise InvalidInput(f"There are no events of the type {kind}.", "types")
    return sorted(set(types))
