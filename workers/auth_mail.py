"""Sign-in mail: a queue and a sender of its own, that no other mail can delay."""

import asyncio

from app.assembly import Services
from app.core.backoff import Backoff
from app.core.errors import Unavailable
from app.core.log import get_logger
from app.storage.doorbell import Bell

_log = get_logger("auth_mail")
_LOOK_SECONDS = 5
_PAUSE = Backoff(first_seconds=0.25, ceiling_seconds=5)


async def run_auth_mail(services: Services) -> None:
    """Until cancelled. Returns at once where sign-in by mail is not set up."""
    mail = services.magic_link_mail()
    if mail is None:
        return
    ear = services.doorbell.listen_for(Bell.SIGN_IN)
    failures = 0
    while True:
        try:
            handled = await mail.send_due()
            failures = 0
        except Unavailable as error:
            failures += 1
            _log.warning("auth_mail.database", outcome="waiting", reason=str(error))
            await asyncio.sleep(_PAUSE.delay_seconds(failures))
            continue
        if not handled:
            await ear.wait(_LOOK_SECONDS)
