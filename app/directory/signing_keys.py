"""The key pair of each domain, with which mail that leaves as it is signed (DKIM, RFC 6376)."""

import asyncio
import base64
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from app.core.clock import Clock
from app.core.encryption import Keyring
from app.core.errors import NotFound
from app.core.ids import Ids
from app.directory.domain_records import DkimKey
from app.directory.domains import Domain
from app.storage.db.database import Database
from app.storage.sealed_columns import DOMAIN_SIGNING_KEY

# What every verifier can check (RFC 8301, section 3.2), and what still fits into a DNS answer.
_KEY_BITS = 2048
_SELECTOR = "pillarbox"


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """Made when a domain's records are first asked for; the private half is stored sealed."""

    database: Database
    keyring: Keyring
    clock: Clock
    ids: Ids

    async def ensure(self, domain: Domain) -> DkimKey:
        """The public half of the domain's key, made unless it is there. Raises `NotFound` when the
        domain was removed."""
        found = await self._find(domain)
        if found is None:
            await self._make(domain)
            found = await self._find(domain)
        if found is None:
            raise NotFound("This domain was removed.")
        return found

    async def _find(self, domain: Domain) -> DkimKey | None:
        row = await self.database.fetch_one(
            "select selector, public_key from domain_signing_key where domain_id = $1", domain.id
        )
        return DkimKey(**row) if row else None

    async def _make(self, domain: Domain) -> None:
        """Of two who do so at once the first one's is kept."""
        public_key, private_key = await asyncio.to_thread(_generate)
        key_id = self.ids.new()
        await self.database.execute(
            """insert into domain_signing_key
                (id, tenant_id, domain_id, selector, public_key, private_key_sealed, created_at)
            select $1, tenant_id, id, $3, $4, $5, $6 from domain where id = $2
            on conflict (domain_id) do nothing""",
            key_id,
            domain.id,
            _SELECTOR,
            public_key,
            self.keyring.encrypt(private_key, DOMAIN_SIGNING_KEY.context(key_id)),
            self.clock.now(),
        )


def _generate() -> tuple[str, str]:
    """The public half in base64 of its DER, the private half in PEM (PKCS 8)."""
    key = generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return base64.b64encode(public).decode(), private.decode()
