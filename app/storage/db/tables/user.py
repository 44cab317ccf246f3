"""People, and what they are in which tenant."""

from piccolo.columns import UUID, Boolean, ForeignKey, Timestamptz, Varchar
from piccolo.table import Table

from app.storage.db.tables.tenant import Tenant


class User(Table, tablename="user_account"):
    """A person who signs in, known by one e-mail address."""

    id = UUID(primary_key=True, default=None)
    email = Varchar(length=320, unique=True)
    name = Varchar(length=200, default="")
    is_operator = Boolean(default=False, help_text="runs the installation")
    created_at = Timestamptz(default=None)


class Membership(Table, tablename="membership"):
    """A user's role in a tenant: owner, admin, agent or viewer."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    user_id = ForeignKey(User, null=False, default=None, db_column_name="user_id", index=True)
    role = Varchar(length=10)
    created_at = Timestamptz(default=None)
