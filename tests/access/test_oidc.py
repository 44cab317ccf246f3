"""Tokens of a provider that lies, errs or changes its keys: what holds, and what is refused."""

import base64
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from clocks import MovableClock
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from app.access.oidc import AuthorizationRequest, Client, OpenIdProviders, ProviderRefused
from app.core.egress.client import Egress
from app.core.egress.errors import TargetRefused
from app.core.errors import PillarboxError, Unavailable
from app.core.secrets import Secret
from app.settings import LOOPBACK, Networks

CLIENT = Client("us", Secret("a-secret-of-ours-that-is-long-enough"), "https://us.test/back")
REQUEST = AuthorizationRequest("state", "nonce", "v" * 43)


@dataclass
class LyingProvider:
    """Serves what a test puts there, and counts how often it was asked."""

    base: str
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))

    def publish(self, *keys: Any) -> None:
        self.answers["/keys"] = {"keys": [key.as_dict(private=False) for key in keys]}

    def claims(self, clock: MovableClock, **changes: Any) -> dict[str, Any]:
        now = int(clock.now().timestamp())
        claims = {
            "iss": self.base,
            "aud": "us",
            "sub": "ada",
            "nonce": "nonce",
            "iat": now,
            "exp": now + 300,
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def give(self, claims: dict[str, Any], key: Any = None, **header: str) -> None:
        """This ID token from now on."""
        head = {"alg": "RS256", "kid": "one", **header}
        token = jwt.encode(head, claims, key or self.key, algorithms=[head["alg"]])
        self.answers["/token"] = {"id_token": token, "access_token": "at"}


@pytest.fixture
def provider() -> Iterator[LyingProvider]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked.append(self.path)
            answer = provider.answers.get(self.path)
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(answer if isinstance(answer, int) else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    provider = LyingProvider(f"http://127.0.0.1:{server.server_port}")
    provider.answers["/.well-known/openid-configuration"] = {
        "issuer": provider.base,
        "authorization_endpoint": f"{provider.base}/authorize",
        "token_endpoint": f"{provider.base}/token",
        "jwks_uri": f"{provider.base}/keys",
        "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
    }
    provider.publish(provider.key)
    yield provider
    server.shutdown()
    server.server_close()


@pytest.fixture
def providers(clock: MovableClock) -> OpenIdProviders:
    return OpenIdProviders(Egress(LOOPBACK), clock, https_only=False)


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign_with_secret(claims: dict[str, Any], key: bytes) -> str:
    """HS256, with what others know or have."""
    head = encode(b'{"alg": "HS256", "kid": "one"}')
    signed = f"{head}.{encode(json.dumps(claims).encode())}"
    return f"{signed}.{encode(hmac.digest(key, signed.encode(), 'sha256'))}"


async def redeem(providers: OpenIdProviders, provider: LyingProvider) -> Any:
    return await providers.redeem(await providers.find(provider.base), CLIENT, REQUEST, "code")


async def test_token_that_holds_tells_who_it_is(
    providers: OpenIdProviders, provider: LyingProvider, clock: MovableClock
) -> None:
    provider.give(provider.claims(clock))
    assert (await redeem(providers, provider))["sub"] == "ada"
    provider.give(provider.claims(clock, aud=["us", "them"], azp="us"))
    assert (await redeem(providers, provider))["sub"] == "ada"


@pytest.mark.parametrize(
    "changes",
    [
        *({"iss": "https://evil.test"}, {"iss": None}, {"aud": "them"}, {"aud": None}),
        *({"aud": ["us", "them"]}, {"aud": ["us", "them"], "azp": "them"}, {"azp": "them"}),
        *({"nonce": "another"}, {"nonce": None}, {"sub": None}, {"exp": None}, {"exp": 1}),
        *({"iat": 99999999999}, {"exp": "soon"}, {"sub": 7}, {"at_hash": "AAAA"}, {"aud": {}}),
    ],
    ids=str,
)
async def test_token_for_somebody_or_something_else_is_refused(
    providers: OpenIdProviders,
    provider: LyingProvider,
    clock: MovableClock,
    changes: dict[str, Any],
) -> None:
    provider.give(provider.claims(clock, **changes))
    with pytest.raises(ProviderRefused):
        await redeem(providers, provider)


async def test_issuer_counts_to_the_letter(
    providers: OpenIdProviders, provider: LyingProvider, clock: MovableClock
) -> None:
    provider.give(provider.claims(clock, iss=f"{provider.base}/"))
    with pytest.raises(ProviderRefused):
        await redeem(providers, provider)
    with pytest.raises(ProviderRefused, match="another issuer"):
        await providers.find(f"{provider.base}/")


async def test_only_signatures_with_a_key_of_its_own_count(
    providers: OpenIdProviders, provider: LyingProvider, clock: MovableClock
) -> None:
    claims = provider.claims(clock)
    assert CLIENT.secret
    forged = [
        sign_with_secret(claims, key)
        for key in (CLIENT.secret.reveal().encode(), provider.key.as_pem(private=False))
    ]
    forged.append(f"eyJhbGciOiJub25lIn0.{encode(json.dumps(claims).encode())}.")
    stranger = RSAKey.generate_key(2048, {"kid": "one"})
    forged.append(jwt.encode({"alg": "RS256", "kid": "one"}, claims, stranger))
    for token in (*forged, "", "a.b.c", "." * 5000, "é"):
        provider.answers["/token"] = {"id_token": token, "access_token": "at"}
        with pytest.raises(ProviderRefused):
            await redeem(providers, provider)


async def test_new_key_is_looked_up_at_once_and_bad_tokens_make_nobody_ask_on(
    providers: OpenIdProviders, provider: LyingProvider, clock: MovableClock
) -> None:
    provider.give(provider.claims(clock))
    await redeem(providers, provider)
    assert provider.asked.count("/keys") == 1
    new = ECKey.generate_key("P-256", {"kid": "two"})
    provider.publish(new)
    provider.give(provider.claims(clock), new, alg="ES256", kid="two")
    await redeem(providers, provider)
    assert provider.asked.count("/keys") == 2
    provider.give(provider.claims(clock))
    for _ in range(5):
        with pytest.raises(ProviderRefused):
            await redeem(providers, provider)
    assert provider.asked.count("/keys") == 2
    clock.moved_seconds += 61
    with pytest.raises(ProviderRefused):
        await redeem(providers, provider)
    assert provider.asked.count("/keys") == 3
    assert KeySet.import_key_set(provider.answers["/keys"]).keys


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b"[]", b"null", b"[" * 9999, b" " * 300_000, 400, 404, 302, 500, 503],
    ids=lambda answer: str(answer)[:12],
)
async def test_answer_that_is_none_is_an_error_that_we_name(
    providers: OpenIdProviders, provider: LyingProvider, clock: MovableClock, answer: Any
) -> None:
    provider.give(provider.claims(clock))
    good = dict(provider.answers)
    for path in good:
        provider.answers = {**good, path: answer}
        fresh = OpenIdProviders(Egress(LOOPBACK), clock, https_only=False)
        with pytest.raises(PillarboxError) as error:
            await redeem(fresh, provider)
        assert isinstance(error.value, ProviderRefused | Unavailable)


async def test_email_and_its_proof_come_from_one_source(
    providers: OpenIdProviders, provider: LyingProvider, clock: MovableClock
) -> None:
    metadata = provider.answers["/.well-known/openid-configuration"]
    metadata["userinfo_endpoint"] = f"{provider.base}/userinfo"
    provider.give(provider.claims(clock, email="boss@acme.test"))
    provider.answers["/userinfo"] = {"sub": "ada", "email": "ada@acme.test", "email_verified": True}
    claims = await redeem(providers, provider)
    assert (claims["email"], claims.get("email_verified")) == ("boss@acme.test", None)
    provider.answers["/userinfo"]["sub"] = "bo"
    with pytest.raises(ProviderRefused, match="two people"):
        await redeem(providers, provider)


async def test_provider_in_a_private_network_is_not_called_unless_that_is_allowed(
    provider: LyingProvider, clock: MovableClock
) -> None:
    providers = OpenIdProviders(Egress(Networks()), clock, https_only=False)
    with pytest.raises(TargetRefused):
        await providers.find(provider.base)
    assert provider.asked == []


async def test_production_speaks_to_providers_by_https_alone(
    provider: LyingProvider, clock: MovableClock
) -> None:
    with pytest.raises(ProviderRefused, match="authorization_endpoint"):
        await OpenIdProviders(Egress(LOOPBACK), clock, https_only=True).find(provider.base)
