"""What every way of sending a mail can do."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from app.outbound.compose import OutgoingMail


class Outcome(StrEnum):
    """What became of one try."""

    ACCEPTED = "accepted"
    RETRYABLE = "retryable"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True)
class SendResult:
    """`response` is what the other side said, on one line; `reference` its own id of the mail."""

    outcome: Outcome
    response: str
    reference: str = ""


class Transport(Protocol):
    """Hands mails to somebody who carries them on."""

    name: str

    async def send(self, mail: OutgoingMail) -> SendResult:
        """Tries once, within a minute. What can go wrong with a mail or with the other side is a
        result; no error is raised for it.

        `ACCEPTED`: it is theirs now. `RETRYABLE`: they, or our access to them, cannot do it now.
        `PERMANENT`: they will never take this mail.
        """
        ...


def one_line(response: str) -> str:
    """A response as it may be kept: on one line, and not for ever long."""
    return " ".join(response.split())[:500]
