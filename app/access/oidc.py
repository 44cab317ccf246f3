"""An OpenID Provider as its client sees it: what it publishes, and the tokens that it gives.

OpenID Connect Core 1.0 and Discovery 1.0, code flow with PKCE (RFC 7636), and the issuer in the
answer (RFC 9207). Every call goes out through the client that checks addresses.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from app.core.clock import Clock
from app.core.egress.client import Answer, Bounds, Egress
from app.core.errors import NotAllowed, Unavailable
from app.core.secrets import Secret

# Signatures by a key that only the provider has: no `none`, and nothing keyed with our secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "Ed25519")
_METADATA_TTL = timedelta(hours=1)
_KEYS_AGAIN_AFTER = timedelta(minutes=1)
_LEEWAY_SECONDS = 60
_KEPT = 500
_BOUNDS = Bounds(max_bytes=256 * 1024, total_seconds=8.0)


class ProviderRefused(NotAllowed):
    """What the provider said cannot be relied on, or it said no. The message is for a person."""


@dataclass(frozen=True, slots=True)
class Provider:
    """What a provider publishes of itself (Discovery 1.0, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    end_session_endpoint: str
    algorithms: Sequence[str]
    takes_secret_in_body: bool
    names_itself: bool


@dataclass(frozen=True, slots=True)
class Client:
    """What we are to the provider."""

    id: str
    secret: Secret | None
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """One journey of a browser to the provider and back. Nobody but the browser and we know the
    `code_verifier`."""

    state: str
    nonce: str
    code_verifier: str


class OpenIdProviders:
    """Speaks to providers, and keeps what they publish for a while."""

    def __init__(self, egress: Egress, clock: Clock, *, https_only: bool) -> None:
        self._egress = egress
        self._clock = clock
        self._schemes = ("https",) if https_only else ("https", "http")
        self._providers: dict[str, tuple[Provider, datetime]] = {}
        self._keys: dict[str, tuple[KeySet, datetime]] = {}
        self._asked_anew: dict[str, datetime] = {}

    async def find(self, issuer: str) -> Provider:
        """The provider of this issuer. Raises `ProviderRefused` and `Unavailable`."""
        kept = self._providers.get(issuer)
        if kept and kept[1] > self._clock.now() - _METADATA_TTL:
            return kept[0]
        url = f"{issuer.removesuffix('/')}/.well-known/openid-configuration"
        provider = self._read_metadata(issuer, await self._get_json(url))
        _keep(self._providers, issuer, (provider, self._clock.now()))
        return provider

    def authorization_url(
        self, provider: Provider, client: Client, request: AuthorizationRequest, email: str
    ) -> str:
        """Where a browser goes to be vouched for (Core 1.0, section 3.1.2.1)."""
        query = {
            "response_type": "code",
            "scope": "openid email",
            "client_id": client.id,
            "redirect_uri": client.redirect_uri,
            "state": request.state,
            "nonce": request.nonce,
            "code_challenge": create_s256_code_challenge(request.code_verifier),
            "code_challenge_method": "S256",
            "login_hint": email,
        }
        return _add_query(provider.authorization_endpoint, query)

    def logout_url(self, provider: Provider, client: Client, return_to: str) -> str:
        """Where a browser signs out of the provider too; empty where none can (RP-Initiated
        Logout 1.0, section 2). No ID token is kept to name the person with, so it asks them."""
        if not provider.end_session_endpoint:
            return ""
        query = {"client_id": client.id, "post_logout_redirect_uri": return_to}
        return _add_query(provider.end_session_endpoint, query)

    async def redeem(
        self, provider: Provider, client: Client, request: AuthorizationRequest, code: str
    ) -> Mapping[str, Any]:
        """Whom the provider vouches for: the claims of the ID token, and of UserInfo where there
        is one. Raises `ProviderRefused` for anything that does not hold, and `Unavailable`."""
        tokens = await self._exchange(provider, client, request, code)
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise ProviderRefused("Your provider gave no ID token.")
        claims = await self._verify(provider, client, request, id_token, access_token)
        if not provider.userinfo_endpoint:
            return claims
        more = await self._get_json(provider.userinfo_endpoint, access_token)
        if more.get("sub") != claims["sub"]:
            raise ProviderRefused("Your provider spoke of two people at once.")
        if claims.get("email", more.get("email")) != more.get("email"):
            # What was verified is another address.
            more = {name: more[name] for name in more.keys() - {"email_verified"}}
        return {**more, **claims}

    async def _exchange(
        self, provider: Provider, client: Client, request: AuthorizationRequest, code: str
    ) -> Mapping[str, Any]:
        """Core 1.0, section 3.1.3.1; the client's name and secret after RFC 6749, section 2.3.1."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.redirect_uri,
            "code_verifier": request.code_verifier,
        }
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
        }
        if client.secret is None:
            form["client_id"] = client.id
        elif provider.takes_secret_in_body:
            form |= {"client_id": client.id, "client_secret": client.secret.reveal()}
        else:
            pair = f"{quote_plus(client.id)}:{quote_plus(client.secret.reveal())}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        answer = await self._egress.send(
            "POST",
            provider.token_endpoint,
            _BOUNDS,
            headers=headers,
            content=urlencode(form).encode(),
        )
        return _read_json(answer)

    async def _verify(
        self,
        provider: Provider,
        client: Client,
        request: AuthorizationRequest,
        id_token: str,
        access_token: str,
    ) -> Mapping[str, Any]:
        """Core 1.0, section 3.1.3.7."""
        token = await self._decode(provider, id_token)
        claims = CodeIDToken(
            token.claims,
            token.header,
            options={
                "iss": {"essential": True, "value": provider.issuer},
                "aud": {"essential": True, "value": client.id},
                "nonce": {"essential": True, "value": request.nonce},
            },
            params={
                "client_id": client.id,
                "nonce": request.nonce,
                "access_token": access_token,
            },
        )
        try:
            claims.validate(now=int(self._clock.now().timestamp()), leeway=_LEEWAY_SECONDS)
        except JoseError as error:
            raise ProviderRefused("Your provider's ID token is not for this sign-in.") from error
        return token.claims

    async def _decode(self, provider: Provider, id_token: str) -> jwt.Token:
        """With the keys that are known, and else with those that are there by now."""
        for keys in (await self._find_keys(provider), None):
            if keys is None and (keys := await self._find_new_keys(provider)) is None:
                break
            try:
                return jwt.decode(id_token, keys, algorithms=list(provider.algorithms))
            except (JoseError, ValueError, KeyError):
                continue
        raise ProviderRefused("Your provider's ID token is not signed by it.")

    async def _find_keys(self, provider: Provider) -> KeySet:
        kept = self._keys.get(provider.jwks_uri)
        if kept and kept[1] > self._clock.now() - _METADATA_TTL:
            return kept[0]
        return await self._fetch_keys(provider)

    async def _find_new_keys(self, provider: Provider) -> KeySet | None:
        """Fetched before their time, unless that was done a moment ago: bad tokens must not make
        us ask on and on."""
        now = self._clock.now()
        asked = self._asked_anew.get(provider.jwks_uri)
        if asked and asked > now - _KEYS_AGAIN_AFTER:
            return None
        _keep(self._asked_anew, provider.jwks_uri, now)
        return await self._fetch_keys(provider)

    async def _fetch_keys(self, provider: Provider) -> KeySet:
        found = await self._get_json(provider.jwks_uri)
        try:
            keys = KeySet.import_key_set(found)  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ProviderRefused("Your provider publishes no keys that can be read.") from error
        _keep(self._keys, provider.jwks_uri, (keys, self._clock.now()))
        return keys

    async def _get_json(self, url: str, access_token: str = "") -> Mapping[str, Any]:
        headers = {"accept": "application/json"}
        if access_token:
            headers["authorization"] = f"Bearer {access_token}"
        return _read_json(await self._egress.send("GET", url, _BOUNDS, headers=headers))

    def _read_metadata(self, issuer: str, found: Mapping[str, Any]) -> Provider:
        def read(name: str, *, needed: bool = True) -> str:
            url = found.get(name, "")
            if not url and not needed:
                return ""
            if not isinstance(url, str) or urlsplit(url).scheme not in self._schemes:
                raise ProviderRefused(f"Your provider publishes no {name} that can be used.")
            return url

        if found.get("issuer") != issuer:
            raise ProviderRefused("What is published there names another issuer.")
        methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        signs_with = found.get("id_token_signing_alg_values_supported") or ["RS256"]
        return Provider(
            issuer=issuer,
            authorization_endpoint=read("authorization_endpoint"),
            token_endpoint=read("token_endpoint"),
            jwks_uri=read("jwks_uri"),
            userinfo_endpoint=read("userinfo_endpoint", needed=False),
            end_session_endpoint=read("end_session_endpoint", needed=False),
            algorithms=[name for name in ALGORITHMS if name in signs_with],
            takes_secret_in_body="client_secret_basic" not in methods,
            names_itself=found.get("authorization_response_iss_parameter_supported") is True,
        )


def _read_json(answer: Answer) -> Mapping[str, Any]:
    if answer.status >= 500:
        raise Unavailable("The provider is not well.")
    try:
        found = json.loads(answer.content) if answer.status == 200 and not answer.is_cut else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProviderRefused("Your provider did not answer as OpenID Connect asks.")
    return found


def _add_query(url: str, query: Mapping[str, str]) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(query)}"


def _keep(kept: dict[str, Any], key: str, value: object) -> None:
    """Forgets the oldest when there are too many."""
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > _KEPT:
        del kept[next(iter(kept))]
