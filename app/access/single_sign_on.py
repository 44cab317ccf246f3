"""Signing in through the provider of one's organisation.

A browser is sent there with a `state` that is good once and with its cookie only. From that cookie
the nonce and the code verifier are derived, so none of them lies in the database.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg

from app.access.audit import Audit
from app.access.browser import Browser
from app.access.grants import Actor
from app.access.oidc import AuthorizationRequest, Client, OpenIdProviders, ProviderRefused
from app.access.sessions import Sessions, SignInMethod
from app.access.sign_in import SignedIn
from app.access.sso_connections import SsoConnection, SsoConnections
from app.core.clock import Clock
from app.core.ids import Ids
from app.core.log import get_logger
from app.core.secrets import hash_token, new_token
from app.eventlog.append import EventLog, Transaction
from app.eventlog.types import EventType
from app.mime.addresses import is_valid_address, normalise_address
from app.storage.db.database import Connection

JOURNEY_TTL = timedelta(minutes=10)
CALLBACK_PATH = "/sign-in/sso"
SIGNED_OUT_PATH = "/signed-out"
_MAX_SUBJECT_CHARS = 255  # Core 1.0, section 2

_log = get_logger("sso")


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser goes, and what its cookie has to hold until it is back."""

    url: str
    secret: str


@dataclass(frozen=True, slots=True)
class Return:
    """What the browser came back with (RFC 6749, section 4.1.2; `issuer` is RFC 9207's `iss`)."""

    state: str
    code: str
    issuer: str
    error: str


@dataclass(frozen=True, slots=True)
class SingleSignOn:
    """Sends browsers to providers, and lets those in whom a provider vouches for."""

    connections: SsoConnections
    providers: OpenIdProviders
    log: EventLog
    audit: Audit
    sessions: Sessions
    clock: Clock
    ids: Ids
    public_url: str

    async def depart(self, connection: SsoConnection, email: str, next_path: str) -> Departure:
        """Raises `ProviderRefused` and `Unavailable` when the provider cannot be used now."""
        provider = await self.providers.find(connection.issuer)
        secret, state = new_token(self.ids), new_token(self.ids)
        await self.log.database.execute(
            """insert into sso_request (state_hash, tenant_id, secret_hash, next_path, expires_at)
            values ($1, $2, $3, $4, $5)""",
            hash_token(state),
            connection.tenant_id,
            hash_token(secret),
            next_path,
            self.clock.now() + JOURNEY_TTL,
        )
        request = _derive_request(secret, state)
        url = self.providers.authorization_url(provider, self._client(connection), request, email)
        return Departure(url, secret)

    async def arrive(self, back: Return, secret: str, browser: Browser) -> SignedIn:
        """Lets the person in. `secret` is what the browser's cookie holds.

        Raises `ProviderRefused`, whose words are for them, and `Unavailable`.
        """
        row = await self.log.database.fetch_one(
            """delete from sso_request
            where state_hash = $1 and secret_hash = $2 and expires_at > $3
            returning tenant_id, next_path""",
            hash_token(back.state),
            hash_token(secret),
            self.clock.now(),
        )
        connection = await self.connections.find(row["tenant_id"]) if row else None
        if row is None or connection is None:
            raise ProviderRefused("This sign-in was not begun in this browser, or is over.")
        try:
            claims = await self._redeem(connection, back, secret)
            session_token = await self._enter(connection, claims, browser)
        except ProviderRefused as error:
            _log.warning(
                "sso.sign_in",
                outcome="refused",
                tenant_id=str(connection.tenant_id),
                reason=str(error),
            )
            raise
        return SignedIn(session_token, row["next_path"])

    async def logout_url(self, tenant_id: UUID) -> str:
        """Where one signs out of the tenant's provider too; empty where that is not offered.
        Raises `ProviderRefused` and `Unavailable`."""
        connection = await self.connections.find(tenant_id)
        if connection is None:
            return ""
        provider = await self.providers.find(connection.issuer)
        return self.providers.logout_url(
            provider, self._client(connection), f"{self.public_url}{SIGNED_OUT_PATH}"
        )

    async def remove_old(self) -> None:
        """Forgets the journeys that nobody came back from."""
        await self.log.database.execute(
            "delete from sso_request where expires_at <= $1", self.clock.now()
        )

    def _client(self, connection: SsoConnection) -> Client:
        return Client(
            connection.client_id, connection.client_secret, f"{self.public_url}{CALLBACK_PATH}"
        )

    async def _redeem(
        self, connection: SsoConnection, back: Return, secret: str
    ) -> Mapping[str, object]:
        provider = await self.providers.find(connection.issuer)
        if back.issuer != provider.issuer and (back.issuer or provider.names_itself):
            raise ProviderRefused("Another provider answered than the one that was asked.")
        if back.error or not back.code:
            raise ProviderRefused("Your provider did not let you in.")
        request = _derive_request(secret, back.state)
        return await self.providers.redeem(provider, self._client(connection), request, back.code)

    async def _enter(
        self, connection: SsoConnection, claims: Mapping[str, object], browser: Browser
    ) -> str:
        email, subject = await self._read_person(connection, claims)
        async with self.log.transaction() as transaction:
            user_id = await self._find_user(transaction.connection, connection, subject, email)
            role = connection.choose_role(claims)
            await self._join(transaction, connection, user_id, email, role)
            return await self.sessions.open(
                transaction, user_id, browser, SignInMethod.SSO, connection.tenant_id
            )

    async def _read_person(
        self, connection: SsoConnection, claims: Mapping[str, object]
    ) -> tuple[str, str]:
        """A provider vouches for addresses of its tenant's own domains, and only once it has seen
        that they are the person's."""
        email, subject = claims.get("email"), claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT_CHARS:
            raise ProviderRefused("Your provider did not say who you are.")
        if not isinstance(email, str) or not is_valid_address(email):
            raise ProviderRefused("Your provider did not tell your e-mail address.")
        if claims.get("email_verified") is not True:
            raise ProviderRefused("Your provider has not verified your e-mail address.")
        owner = await self.connections.find_for(email)
        if owner is None or owner.tenant_id != connection.tenant_id:
            raise ProviderRefused("Your address is not of a domain that signs in this way.")
        return normalise_address(email), subject

    async def _find_user(
        self, database: Connection, connection: SsoConnection, subject: str, email: str
    ) -> UUID:
        """Known by the provider's name for them; the first time by their address.

        An address that somebody else of that provider signed in with is not handed on: it may have
        been given to another person since.
        """
        user_id: UUID | None = await database.fetchval(
            "select user_id from sso_identity where tenant_id = $1 and subject = $2",
            connection.tenant_id,
            subject,
        )
        if user_id is not None:
            return user_id
        now = self.clock.now()
        user_id = await database.fetchval(
            """insert into user_account (id, email, created_at) values ($1, $2, $3)
            on conflict (email) do update set email = excluded.email returning id""",
            self.ids.new(),
            email,
            now,
        )
        assert user_id is not None
        try:
            await database.execute(
                """insert into sso_identity (id, tenant_id, subject, user_id, created_at)
                values ($1, $2, $3, $4, $5)""",
                self.ids.new(),
                connection.tenant_id,
                subject,
                user_id,
                now,
            )
        except asyncpg.UniqueViolationError as error:
            raise ProviderRefused(
                "Your provider knew somebody else by your address. Ask an owner for help."
            ) from error
        return user_id

    async def _join(
        self,
        transaction: Transaction,
        connection: SsoConnection,
        user_id: UUID,
        email: str,
        claimed_role: str,
    ) -> None:
        """Makes somebody a member, or gives a member the role that the claims say.

        What the claims say nothing of stays as it is, and so does an owner: only a person takes
        that away.
        """
        had = await transaction.connection.fetchval(
            "select role from membership where tenant_id = $1 and user_id = $2 for update",
            connection.tenant_id,
            user_id,
        )
        role = had if had == "owner" else claimed_role or had or connection.default_role
        if not role:
            raise ProviderRefused("Your organisation gives you no role here. Ask an owner for one.")
        if role == had:
            return
        await transaction.connection.execute(
            """insert into membership (id, tenant_id, user_id, role, created_at)
            values ($1, $2, $3, $4, $5)
            on conflict (tenant_id, user_id) do update set role = excluded.role""",
            self.ids.new(),
            connection.tenant_id,
            user_id,
            role,
            self.clock.now(),
        )
        await self.audit.record(
            transaction,
            Actor("system", None, f"the provider {connection.issuer}"),
            EventType.ACCESS_ROLE_CHANGED if had else EventType.ACCESS_USER_ADDED,
            tenant_id=connection.tenant_id,
            subject=("user", user_id),
            facts={"email": email},
            told={"role": role, **({"earlier": had} if had else {})},
        )


def _derive_request(secret: str, state: str) -> AuthorizationRequest:
    """The same for the same cookie; the verifier has the 43 characters that RFC 7636 asks for."""

    def derive(purpose: bytes) -> str:
        digest = hmac.digest(secret.encode(), purpose + state.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    return AuthorizationRequest(state, derive(b"nonce"), derive(b"code verifier"))
