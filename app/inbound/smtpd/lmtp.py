"""LMTP (RFC 2033): SMTP but for its hello, and for what answers a message."""

from collections.abc import Mapping
from typing import ClassVar

from app.inbound.smtpd import replies
from app.inbound.smtpd.arrival import Arrival
from app.inbound.smtpd.dialogue import COMMANDS, Command, Dialogue


class LmtpDialogue(Dialogue):
    """A message is answered once for each recipient that was accepted, all in the same way: it is
    stored for all of them or for none."""

    PROTOCOL = "LMTP"
    HELLO = "LHLO"
    NO_RECIPIENTS = replies.RECIPIENT_FIRST  # RFC 2033, section 4.2
    COMMANDS: ClassVar[Mapping[str, Command]] = {
        "LHLO": COMMANDS["EHLO"],
        **{verb: each for verb, each in COMMANDS.items() if verb not in ("HELO", "EHLO")},
    }

    async def end_data(self, arrival: Arrival) -> bytes:
        recipients = self._transaction.accepted_count if self._transaction else 1
        reply = await super().end_data(arrival)
        return reply if self.ended else reply * recipients
