"""Amazon SES, API version 2.

boto3 takes 0.4 s to import, so it is imported when a client is made, not when this module is.
Its calls block and run in threads.
"""

import asyncio
from typing import Any

from app.core.errors import InvalidInput, Unavailable
from app.core.secrets import Secret

# SendEmail, "Errors": those that name the mail or its sender, not the moment.
_REFUSALS = frozenset(
    {
        "BadRequestException",
        "InvalidParameterValue",
        "MailFromDomainNotVerifiedException",
        "MessageRejected",
        "NotFoundException",
        "ValidationException",
    }
)


class Ses:
    """One account in one region. Without `access_key_id` the machine's role is used."""

    def __init__(
        self,
        *,
        region: str,
        access_key_id: str = "",
        secret_access_key: Secret | None = None,
        endpoint_url: str = "",
    ) -> None:
        import boto3
        from botocore.config import Config

        self._client: Any = boto3.session.Session().client(
            "sesv2",
            region_name=region,
            endpoint_url=endpoint_url or None,
            aws_access_key_id=access_key_id or None,
            aws_secret_access_key=secret_access_key.reveal() if secret_access_key else None,
            config=Config(
                connect_timeout=5,
                read_timeout=20,
                retries={"total_max_attempts": 2, "mode": "standard"},
            ),
        )

    async def send_raw(self, mail_from: str, rcpt_to: str, raw: bytes) -> str:
        """Sends a composed message to one recipient. The id that SES gave it.

        Raises `InvalidInput` when SES will never send it, `Unavailable` when it cannot now.
        """
        return await asyncio.to_thread(self._send, mail_from, rcpt_to, raw)

    def _send(self, mail_from: str, rcpt_to: str, raw: bytes) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client.send_email(
                FromEmailAddress=mail_from,
                Destination={"ToAddresses": [rcpt_to]},
                Content={"Raw": {"Data": raw}},
            )
        except ClientError as error:
            facts = error.response.get("Error", {})
            code = facts.get("Code", "")
            words = f"SES refused: {code or 'no reason given'}. {facts.get('Message', '')}"
            raise (InvalidInput if code in _REFUSALS else Unavailable)(words) from error
        except BotoCoreError as error:
            raise Unavailable(f"SES cannot be reached: {error}") from error
        return str(answer["MessageId"])
