"""Every column that holds a secret sealed with ENCRYPTION_KEY: the one list of them.

To keep a secret: give it a `bytea` column in a table whose primary key is one column, make a
`SealedColumn` of it here and put that into `SEALED_COLUMNS`. Write `keyring.encrypt(plain,
COLUMN.context(key))`, read `keyring.decrypt(sealed, COLUMN.context(key))`, where `key` is the row's
primary key. `pillarbox keys rotate-encryption` then seals it anew with all others; nothing else
has to be told. A test fails for a column whose name says "secret", "private_key" or the like and
that is not listed.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """`column` of `table` holds what a `Keyring` sealed, or null. `key` is the primary key."""

    table: str
    key: str
    column: str

    def context(self, key: object) -> str:
        """What the value in this row is bound to. It must never change: what is stored would no
        longer open."""
        return f"{self.table}.{self.column}/{key}"


SSO_CLIENT_SECRET = SealedColumn("sso_connection", "tenant_id", "client_secret")
DOMAIN_SIGNING_KEY = SealedColumn("domain_signing_key", "id", "private_key_sealed")
WEBHOOK_SECRET = SealedColumn("webhook_endpoint", "id", "secret_sealed")
PREVIOUS_WEBHOOK_SECRET = SealedColumn("webhook_endpoint", "id", "previous_secret_sealed")

SEALED_COLUMNS: Sequence[SealedColumn] = (
    *(SSO_CLIENT_SECRET, DOMAIN_SIGNING_KEY),
    *(WEBHOOK_SECRET, PREVIOUS_WEBHOOK_SECRET),
)
