"""Credentials: API keys, sign-in links, sessions. Only hashes of what the holder shows."""

from piccolo.columns import UUID, Array, Bytea, ForeignKey, Timestamptz, Varchar
from piccolo.table import Table

from app.storage.db.tables.tenant import Tenant
from app.storage.db.tables.user import User


class ApiKey(Table, tablename="api_key"):
    """A key and its explicit allow-lists; an empty list of domains or mailboxes allows all."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id", index=True)
    name = Varchar(length=200, default="")
    prefix = Varchar(length=8, help_text="the first 8 characters, to recognise the key by")
    key_hash = Bytea(unique=True)
    scopes = Array(base_column=Varchar(length=40))
    domain_ids = Array(base_column=UUID())
    mailbox_ids = Array(base_column=UUID())
    created_at = Timestamptz(default=None)
    expires_at = Timestamptz(null=True, default=None)
    last_used_at = Timestamptz(null=True, default=None)
    revoked_at = Timestamptz(null=True, default=None)


class SignInLink(Table, tablename="sign_in_link"):
    """A one-time link that signs a user in."""

    id = UUID(primary_key=True, default=None)
    user_id = ForeignKey(User, null=False, default=None, db_column_name="user_id", index=True)
    token_hash = Bytea(unique=True)
    created_at = Timestamptz(default=None)
    expires_at = Timestamptz(default=None)
    consumed_at = Timestamptz(null=True, default=None)


class Session(Table, tablename="session"):
    """A signed-in browser."""

    id = UUID(primary_key=True, default=None)
    user_id = ForeignKey(User, null=False, default=None, db_column_name="user_id", index=True)
    token_hash = Bytea(unique=True)
    user_agent = Varchar(length=300, default="")
    created_at = Timestamptz(default=None)
    expires_at = Timestamptz(default=None)
