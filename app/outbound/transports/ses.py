"""Sending through Amazon SES."""

from app.core.errors import InvalidInput, Unavailable
from app.outbound.compose import OutgoingMail
from app.outbound.transports.port import Outcome, SendResult, one_line
from app.providers.ses import Ses


class SesTransport:
    """SES replaces the Message-ID with one of its own, which is the `reference`."""

    name = "ses"

    def __init__(self, ses: Ses) -> None:
        self._ses = ses

    async def send(self, mail: OutgoingMail) -> SendResult:
        try:
            reference = await self._ses.send_raw(
                mail.mail_from, mail.rcpt_to, mail.message.as_bytes()
            )
        except InvalidInput as error:
            return SendResult(Outcome.PERMANENT, one_line(str(error)))
        except Unavailable as error:
            return SendResult(Outcome.RETRYABLE, one_line(str(error)))
        return SendResult(Outcome.ACCEPTED, "", reference)
