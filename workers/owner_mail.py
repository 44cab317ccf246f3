"""Mail to owners about their things. It is not urgent, so nothing has to wake it."""

import asyncio

from app.assembly import Services
from app.core.errors import Unavailable
from app.core.log import get_logger

_log = get_logger("owner_mail")
_LOOK_SECONDS = 10


async def run_owner_mail(services: Services) -> None:
    """Until cancelled. Returns at once where no way is set for our own mail to leave."""
    mail = services.owner_mail()
    if mail is None:
        return
    while True:
        try:
            while await mail.send_due():
                pass
        except Unavailable as error:
            _log.warning("owner_mail.database", outcome="waiting", reason=str(error))
        await asyncio.sleep(_LOOK_SECONDS)
