"""Signing in by a link that works once, or by the code that came with it.

A link that was asked for by mail works in the browser that asked and in no other. Whoever reads
the mail elsewhere types its code into that browser (docs/adr/0009).
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from limits import RateLimitItemPerDay

from app.access.browser import Browser
from app.access.rate_limits import RateLimits
from app.access.sessions import Sessions, SignInMethod
from app.access.sign_in_requests import MAILED_LINK_TTL, SignInRequest
from app.core.clock import Clock
from app.core.errors import NotAllowed, NotFound, TooManyRequests
from app.core.ids import Ids
from app.core.secrets import Secret, hash_token, new_token
from app.eventlog.append import EventLog, Transaction
from app.storage.db.database import Database, Record

LINK_TTL = timedelta(hours=1)
CODE_DIGITS = 6
CODE_TRIES = 5
_CODES_OF_ADDRESS_PER_DAY = RateLimitItemPerDay(20)
_KEEP_OLD_LINKS = timedelta(days=1)
_BETWEEN_DIGITS = re.compile(r"[\s-]+")


class OpenedElsewhere(NotAllowed):
    """The link is good, and this is not the browser that it was made for."""


class WrongCode(NotFound):
    """No mail to this browser carried the code. `tries_left` before it has to ask anew."""

    def __init__(self, tries_left: int) -> None:
        super().__init__("That is not the code.")
        self.tries_left = tries_left


@dataclass(frozen=True, slots=True)
class MailedLink:
    """What a mail carries: the token of a link, and the code that stands for it."""

    token: str
    code: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The token of a new session, and the path that its browser wanted; empty for none."""

    session_token: str
    next_path: str


@dataclass(frozen=True, slots=True)
class SignIn:
    """One-time links. Only hashes of their tokens and codes are stored."""

    database: Database
    log: EventLog
    sessions: Sessions
    rate_limits: RateLimits
    secret_key: Secret
    clock: Clock
    ids: Ids

    async def create_link(
        self, user_id: UUID, *, ttl: timedelta = LINK_TTL, next_path: str = ""
    ) -> str:
        """A token that signs this user in once, within `ttl`, in whatever browser."""
        token, now = new_token(self.ids), self.clock.now()
        await self.database.execute(
            """insert into sign_in_link
                (id, user_id, token_hash, next_path, created_at, expires_at)
            values ($1, $2, $3, $4, $5, $6)""",
            self.ids.new(),
            user_id,
            hash_token(token),
            next_path,
            now,
            now + ttl,
        )
        return token

    async def create_mailed_link(
        self, user_id: UUID, request: SignInRequest, *, in_same_kind: bool
    ) -> MailedLink:
        """A link and a code for the browser of this request; either works, and then neither does.

        `in_same_kind`: and only as long as the browser stays of the kind that it said to be.
        """
        token, code, now = new_token(self.ids), self._new_code(), self.clock.now()
        await self.database.execute(
            """insert into sign_in_link (id, user_id, token_hash, next_path, secret_hash,
                browser_kind, code_hash, created_at, expires_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
            self.ids.new(),
            user_id,
            hash_token(token),
            request.next_path,
            request.secret_hash,
            request.browser_kind if in_same_kind else "",
            self._hash_code(request.secret_hash, code),
            now,
            now + MAILED_LINK_TTL,
        )
        return MailedLink(token, code)

    async def check_link(self, token: str, browser: Browser) -> None:
        """Raises `NotFound` unless the link still works, and `OpenedElsewhere` when it does so in
        another browser only. It is not consumed."""
        fits = await self.database.fetch_value(
            f"""select {_FITS} from sign_in_link
            where token_hash = $1 and consumed_at is null and expires_at > $4""",
            hash_token(token),
            browser.secret_hashes,
            browser.kind,
            self.clock.now(),
        )
        if fits is None:
            raise NotFound("This sign-in link was used or has expired.")
        if not fits:
            raise OpenedElsewhere("This sign-in link is for another browser.")

    async def consume_link(self, token: str, browser: Browser) -> SignedIn:
        """Uses the link up and opens a session. Raises as `check_link` does."""
        await self.check_link(token, browser)
        return await self._consume("token_hash = any($1)", [hash_token(token)], browser)

    async def consume_code(self, code: str, browser: Browser) -> SignedIn:
        """Uses up the link that this code came with, and opens a session.

        Raises `NotFound` when the browser has not asked, not lately, or tried too often since, and
        `WrongCode`. Each try counts before it is looked at, and whether or not anybody has the
        address; for one address only so many are looked at in a day, however many browsers ask.
        """
        tried = await self.database.fetch(
            _COUNT_TRY, browser.secret_hashes, CODE_TRIES, self.clock.now()
        )
        if not tried:
            raise NotFound("There is no code to be typed here.")
        digits = _BETWEEN_DIGITS.sub("", code)
        hashes = [
            self._hash_code(row["secret_hash"], digits)
            for row in tried
            if await self._is_within_limit(row)
        ]
        try:
            return await self._consume("code_hash = any($1)", hashes, browser)
        except NotFound:
            tries_left = max(CODE_TRIES - row["tries"] for row in tried)
            raise WrongCode(tries_left) from None

    async def remove_old_links(self) -> int:
        """Forgets links a day after their time. How many."""
        now = self.clock.now()
        await self.database.execute("delete from sign_in_tries where expires_at <= $1", now)
        rows = await self.database.fetch(
            "delete from sign_in_link where expires_at <= $1 returning id", now - _KEEP_OLD_LINKS
        )
        return len(rows)

    async def _consume(self, which: str, hashes: Sequence[bytes], browser: Browser) -> SignedIn:
        async with self.log.transaction() as transaction:
            link = await transaction.connection.fetchrow(
                f"""update sign_in_link set consumed_at = $4
                where {which} and consumed_at is null and expires_at > $4 and {_FITS}
                returning user_id, next_path, secret_hash is not null as is_mailed""",
                hashes,
                browser.secret_hashes,
                browser.kind,
                self.clock.now(),
            )
            if link is None:
                raise NotFound("This sign-in link was used or has expired.")
            return SignedIn(await self._open(transaction, link, browser), link["next_path"])

    async def _open(self, transaction: Transaction, link: Record, browser: Browser) -> str:
        method = SignInMethod.MAIL if link["is_mailed"] else SignInMethod.OPERATOR
        return await self.sessions.open(transaction, link["user_id"], browser, method)

    async def _is_within_limit(self, tried: Record) -> bool:
        try:
            await self.rate_limits.count(_CODES_OF_ADDRESS_PER_DAY, "sign-in-code", tried["email"])
        except TooManyRequests:
            return False
        return True

    def _new_code(self) -> str:
        number = int.from_bytes(self.ids.random_bytes(8)) % 10**CODE_DIGITS
        return f"{number:0{CODE_DIGITS}}"

    def _hash_code(self, secret_hash: bytes, code: str) -> bytes:
        """With our key: whoever reads the table could try all codes otherwise. It is looked up by
        an index, and in vain in the same way for every wrong code."""
        key = self.secret_key.reveal().encode()
        return hmac.digest(key, b"sign-in code" + secret_hash + code.encode(), hashlib.sha256)


_FITS = """(secret_hash is null or secret_hash = any($2))
    and (browser_kind = '' or browser_kind = $3)"""

_COUNT_TRY = """
update sign_in_tries set tries = tries + 1
where secret_hash = any($1) and tries < $2 and expires_at > $3
returning secret_hash, email, tries
"""
