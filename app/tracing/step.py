"""The steps of a mail's way, as values: what happened, when, for how long, and how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class StepKind(StrEnum):
    CONNECTED = "connected"
    RECIPIENT = "recipient"
    """The last recipient was accepted; all that was said since the connection lasted as long."""
    REFUSED = "refused"
    DATA = "data"
    """The message itself had come; it lasted from the answer to DATA to its last byte."""
    CALLBACK = "callback"
    """A provider handed it over by HTTP."""
    SPOOLED = "spooled"
    CLAIMED = "claimed"
    """Taken from the spool; it had waited there as long."""
    PARSED = "parsed"
    ROUTED = "routed"
    STORED = "stored"
    RECORDED = "recorded"
    """In its mailbox."""
    DUPLICATE = "duplicate"
    """The same message was in the mailbox already."""
    DISCARDED = "discarded"
    HELD_BACK = "held_back"
    RETRIED = "retried"
    DROPPED = "dropped"
    AUTHENTICATED = "authenticated"
    INDEXED = "indexed"
    WEBHOOK = "webhook"
    """One try to tell somebody's server of an event."""
    CHANGED = "changed"
    REPEATED = "repeated"
    """The same message came once more, on a way of its own."""
    DELETED = "deleted"
    NOTED = "noted"
    """Something else that the event log tells."""


class StepOutcome(StrEnum):
    DONE = "done"
    FAILED = "failed"
    WAITING = "waiting"
    """It did not work, and is tried again."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One technical detail, under the name that it has in the API and in the log."""

    name: str
    value: str | int | bool


@dataclass(frozen=True, slots=True)
class Step:
    """`at` is when it was done, `duration_ms` how long it had taken by then, or how long was waited
    for it; None where nobody knows. `message_id` is of the message that it is about, where it is
    about one."""

    kind: StepKind
    at: datetime
    outcome: StepOutcome = StepOutcome.DONE
    duration_ms: int | None = None
    message_id: UUID | None = None
    facts: Sequence[Fact] = ()

    def fact(self, name: str) -> str | int | bool | None:
        """None where it is not known."""
        return next((fact.value for fact in self.facts if fact.name == name), None)


class Verdict(StrEnum):
    """What became of the mail as a whole."""

    DELIVERED = "delivered"
    DUPLICATE = "duplicate"
    HELD_BACK = "held_back"
    DROPPED = "dropped"
    DISCARDED = "discarded"
    DEFERRED = "deferred"
    REFUSED = "refused"
    NONE = "none"
    """It was no mail, but something else that the event log tells."""


_BY_KIND = {
    StepKind.RECORDED: Verdict.DELIVERED,
    StepKind.DUPLICATE: Verdict.DUPLICATE,
    StepKind.DROPPED: Verdict.DROPPED,
    StepKind.HELD_BACK: Verdict.HELD_BACK,
    StepKind.DISCARDED: Verdict.DISCARDED,
}


def judge(steps: Sequence[Step]) -> Verdict:
    """The best that happened to it in any mailbox; what was refused counts if nothing else did."""
    kinds = {step.kind for step in steps}
    for kind, verdict in _BY_KIND.items():
        if kind in kinds:
            return verdict
    refused = [step for step in steps if step.kind is StepKind.REFUSED]
    if not refused:
        return Verdict.NONE
    if any(step.outcome is StepOutcome.WAITING for step in refused):
        return Verdict.DEFERRED
    return Verdict.REFUSED
