"""Credentials: API keys, sign-in links, sessions. Only hashes of what the holder shows."""

from piccolo.columns import UUID, Array, Bytea, ForeignKey, Integer, Timestamptz, Varchar
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
    replaced_by = UUID(null=True, default=None, help_text="the key that was made in its place")


class SignInRequest(Table, tablename="sign_in_request"):
    """Somebody asked for a sign-in link by mail. Whether they may have one is not known yet."""

    id = UUID(primary_key=True, default=None)
    email = Varchar(length=320, help_text="normalised")
    next_path = Varchar(length=1000, default="")
    secret_hash = Bytea(help_text="of the cookie of the browser that asked")
    browser_kind = Varchar(length=60)
    attempts = Integer(default=0)
    next_attempt_at = Timestamptz(
        default=None, index=True, help_text="while somebody tries: when the next may"
    )
    created_at = Timestamptz(default=None)


class SignInLink(Table, tablename="sign_in_link"):
    """A one-time link that signs a user in."""

    id = UUID(primary_key=True, default=None)
    user_id = ForeignKey(User, null=False, default=None, db_column_name="user_id", index=True)
    token_hash = Bytea(unique=True)
    next_path = Varchar(length=1000, default="", help_text="where to go once signed in")
    secret_hash = Bytea(null=True, default=None, help_text="the one browser that may use it")
    browser_kind = Varchar(length=60, default="", help_text="if it must be of this kind")
    code_hash = Bytea(null=True, default=None, index=True, help_text="of what may be typed instead")
    created_at = Timestamptz(default=None)
    expires_at = Timestamptz(default=None)
    consumed_at = Timestamptz(null=True, default=None)


class SignInTries(Table, tablename="sign_in_tries"):
    """How often a code was typed for one request, whether or not anybody has its address."""

    secret_hash = Bytea(primary_key=True)
    email = Varchar(length=320)
    tries = Integer(default=0)
    expires_at = Timestamptz(default=None, index=True)


class Session(Table, tablename="session"):
    """A signed-in browser, and the tenant that it is in; at first any of its user's."""

    id = UUID(primary_key=True, default=None)
    user_id = ForeignKey(User, null=False, default=None, db_column_name="user_id", index=True)
    tenant_id = ForeignKey(Tenant, null=True, default=None, db_column_name="tenant_id")
    user_agent = Varchar(length=300, default="")
    method = Varchar(length=20, default="mail", help_text="how they signed in")
    network = Varchar(length=60, default="", help_text="from where")
    sso_tenant_id = ForeignKey(
        Tenant,
        default=None,
        db_column_name="sso_tenant_id",
        index=True,
        help_text="whose provider vouched for them",
    )
    created_at = Timestamptz(default=None)
    last_seen_at = Timestamptz(default=None)
    renewed_at = Timestamptz(default=None, help_text="when its newest token was given")
    expires_at = Timestamptz(default=None)


class SessionToken(Table, tablename="session_token"):
    """What a session's cookie holds or held."""

    token_hash = Bytea(primary_key=True)
    session_id = ForeignKey(
        Session, null=False, default=None, db_column_name="session_id", index=True
    )
    created_at = Timestamptz(default=None)
    used_at = Timestamptz(null=True, default=None, help_text="the first time it came back")
    replaced_at = Timestamptz(null=True, default=None, help_text="when its successor came back")
