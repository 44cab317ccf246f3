"""Who may sign in to a tenant in which way, and the providers that vouch for its people."""

from piccolo.columns import JSONB, UUID, Array, Boolean, Bytea, ForeignKey, Timestamptz, Varchar
from piccolo.table import Table

from app.storage.db.tables.domain import Domain
from app.storage.db.tables.tenant import Tenant
from app.storage.db.tables.user import User


class SignInPolicy(Table, tablename="sign_in_policy"):
    """What an owner decided. A tenant without a row has the defaults."""

    tenant_id = ForeignKey(
        Tenant, primary_key=True, null=False, default=None, db_column_name="tenant_id"
    )
    allows_mail = Boolean(default=True)
    needs_same_browser_kind = Boolean(default=False)
    admin_networks = Array(base_column=Varchar(length=50), help_text="CIDR; empty: from anywhere")


class SsoConnection(Table, tablename="sso_connection"):
    """The OpenID Provider of a tenant."""

    tenant_id = ForeignKey(
        Tenant, primary_key=True, null=False, default=None, db_column_name="tenant_id"
    )
    issuer = Varchar(length=500)
    client_id = Varchar(length=500)
    client_secret = Bytea(null=True, default=None, help_text="sealed")
    role_claim = Varchar(length=200, default="")
    roles = JSONB(help_text="from a value of that claim to a role")
    default_role = Varchar(length=10, default="", help_text="empty: nobody without a mapped role")
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)


class SsoDomain(Table, tablename="sso_domain"):
    """Whose addresses sign in through the connection, as long as the domain is verified."""

    domain_id = ForeignKey(
        Domain, primary_key=True, null=False, default=None, db_column_name="domain_id"
    )
    tenant_id = UUID(default=None, index=True, help_text="of the connection")


class SsoIdentity(Table, tablename="sso_identity"):
    """A person as their provider knows them: the `sub` of its tokens."""

    id = UUID(primary_key=True, default=None)
    tenant_id = UUID(default=None, help_text="of the connection")
    subject = Varchar(length=300)
    user_id = ForeignKey(User, null=False, default=None, db_column_name="user_id", index=True)
    created_at = Timestamptz(default=None)


class SsoRequest(Table, tablename="sso_request"):
    """A browser that was sent to a provider and is expected back once."""

    state_hash = Bytea(primary_key=True)
    tenant_id = UUID(default=None, index=True, help_text="of the connection")
    secret_hash = Bytea()
    next_path = Varchar(length=1000, default="")
    expires_at = Timestamptz(default=None, index=True)
