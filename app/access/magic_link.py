"""The auth lane: from a request for a link to the mail that carries it.

The link is made when the mail is about to leave, so its token is written down nowhere.
"""

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from limits import RateLimitItemPerHour

from app.access.rate_limits import RateLimits
from app.access.sign_in import SignIn
from app.access.sign_in_requests import MAILED_LINK_TTL, SignInRequest, SignInRequests
from app.core.clock import Clock
from app.core.errors import TooManyRequests, Unavailable
from app.core.ids import Ids
from app.core.log import get_logger
from app.outbound.compose import OutgoingMail, compose
from app.outbound.mail_templates import MailTemplates
from app.outbound.transports.port import Outcome, SendResult, Transport
from app.storage.db.database import Database, Record

_AT_ONCE = 10
_log = get_logger("auth_mail")


@dataclass(frozen=True, slots=True)
class MagicLinkMail:
    """Sends a link to everybody who asked for one and may have it, and word to who was invited."""

    requests: SignInRequests
    sign_in: SignIn
    rate_limits: RateLimits
    transport: Transport
    templates: MailTemplates
    database: Database
    clock: Clock
    ids: Ids
    public_url: str
    sender: str
    mails_per_hour: int

    async def send_due(self) -> int:
        """Deals with the requests that are due, and says with how many.

        Each is sent, dropped, or postponed. Raises `Unavailable` when the database is away; what
        was under way is then taken up again by whoever looks next.
        """
        if given_up := await self.requests.give_up():
            _log.error("auth_mail.send", outcome="given_up", requests=given_up)
        claimed = await self.requests.claim(_AT_ONCE)
        outcomes = await asyncio.gather(*map(self._handle, claimed), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return len(claimed)

    async def _handle(self, request: SignInRequest) -> None:
        """A request that breaks something must not keep the others waiting."""
        try:
            await self._answer(request)
        except Unavailable:
            raise
        except Exception as error:
            await self.requests.postpone(request)
            # Not the error's words: they may tell the address or the link.
            self._note(request, "failed", reason=type(error).__name__)

    async def _answer(self, request: SignInRequest) -> None:
        mail = await self._write(request)
        if mail is None:
            await self.requests.remove(request)
        else:
            await self._settle(request, await self.transport.send(mail))

    async def _write(self, request: SignInRequest) -> OutgoingMail | None:
        """The mail that answers the request; None where it gets none."""
        if request.is_invitation:
            if not await self._is_within_limit(request):
                return None
            return self._compose("invitation", request.email, link=f"{self.public_url}/sign-in")
        user = await self._find_user(request.email)
        if user is None or not await self._is_within_limit(request):
            return None
        link = await self.sign_in.create_mailed_link(
            user["id"], request, in_same_kind=user["needs_same_browser_kind"]
        )
        return self._compose(
            "sign_in",
            request.email,
            link=f"{self.public_url}/sign-in/{link.token}",
            code=f"{link.code[:3]} {link.code[3:]}",
            minutes=int(MAILED_LINK_TTL.total_seconds()) // 60,
        )

    async def _settle(self, request: SignInRequest, result: SendResult) -> None:
        if result.outcome is Outcome.RETRYABLE:
            await self.requests.postpone(request)
        else:
            await self.requests.remove(request)
        said = {} if result.outcome is Outcome.ACCEPTED else {"reason": result.response}
        self._note(request, result.outcome.value, transport=self.transport.name, **said)

    async def _find_user(self, email: str) -> Record | None:
        """Somebody of this address who is a member where people may sign in by mail."""
        return await self.database.fetch_one(
            """select user_account.id,
                bool_or(coalesce(needs_same_browser_kind, false)) as needs_same_browser_kind
            from user_account
            join membership on membership.user_id = user_account.id
            left join sign_in_policy on sign_in_policy.tenant_id = membership.tenant_id
            where email = $1 and coalesce(allows_mail, true)
            group by user_account.id""",
            email,
        )

    async def _is_within_limit(self, request: SignInRequest) -> bool:
        """Counted at the first try, and not where somebody asks: the answer must not tell of it."""
        if request.attempts > 1:
            return True
        limit = RateLimitItemPerHour(self.mails_per_hour)
        try:
            await self.rate_limits.count(limit, "sign-in-mail", request.email)
        except TooManyRequests:
            self._note(request, "over_limit")
            return False
        return True

    def _compose(self, template: str, email: str, **values: object) -> OutgoingMail:
        host = urlsplit(self.public_url).netloc
        words = self.templates.render(template, email=email, host=host, **values)
        return compose(
            words,
            sender=self.sender,
            recipient=email,
            message_id=self.ids.new(),
            date=self.clock.now(),
        )

    def _note(self, request: SignInRequest, outcome: str, **facts: Any) -> None:
        level = _log.info if outcome in ("accepted", "over_limit") else _log.warning
        level("auth_mail.send", request_id=str(request.id), outcome=outcome, **facts)
