"""One try: the signed call of an endpoint, and what came back."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.clock import Clock
from app.core.egress.client import Answer, Bounds, Egress
from app.core.encryption import Keyring
from app.core.errors import PillarboxError
from app.core.secrets import Secret
from app.storage.sealed_columns import PREVIOUS_WEBHOOK_SECRET, WEBHOOK_SECRET
from app.webhooks.claims import Claim
from app.webhooks.signing import signed_headers
from app.webhooks.verdict import Reply, read_rest

_BOUNDS = Bounds(max_bytes=4096, total_seconds=20, connect_seconds=5)
_MAX_HEAD = 2000
_MAX_ERROR = 200


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls addresses that strangers named, so by `Egress` alone."""

    egress: Egress
    keyring: Keyring
    clock: Clock

    async def call(self, claim: Claim) -> Reply:
        """Never raises a `PillarboxError`: what went wrong is in the reply. The answer is read up
        to a few KB, and for 20 seconds; no body of it is kept."""
        started, body = time.monotonic(), claim.payload.encode()
        now = self.clock.now()
        try:
            headers = signed_headers(self._secrets(claim, now), claim.delivery_id, now, body)
            answer = await self.egress.send(
                "POST",
                claim.url,
                _BOUNDS,
                headers={"content-type": "application/json", **headers},
                content=body,
            )
        except PillarboxError as error:
            return Reply(_since(started), error=str(error)[:_MAX_ERROR])
        return Reply(
            _since(started),
            status=answer.status,
            head=_describe(answer),
            rest=read_rest(answer.status, answer.header("retry-after"), self.clock.now()),
        )

    def _secrets(self, claim: Claim, now: datetime) -> Sequence[Secret]:
        """The one that signs, and the one before while it still does."""
        sealed = [(WEBHOOK_SECRET, claim.secret_sealed)]
        previous = claim.previous_secret_sealed
        if previous is not None and claim.previous_until and claim.previous_until > now:
            sealed.append((PREVIOUS_WEBHOOK_SECRET, previous))
        return [
            Secret(self.keyring.decrypt(value, column.context(claim.endpoint_id)))
            for column, value in sealed
        ]


def _describe(answer: Answer) -> str:
    lines = [f"HTTP {answer.status}", *(f"{name}: {value}" for name, value in answer.headers)]
    return "\n".join(lines).replace("\0", "")[:_MAX_HEAD]


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
