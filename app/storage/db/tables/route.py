"""Addresses that lead to mailboxes of another name."""

from piccolo.columns import UUID, ForeignKey, Timestamptz, Varchar
from piccolo.table import Table

from app.storage.db.tables.domain import Domain
from app.storage.db.tables.mailbox import Mailbox
from app.storage.db.tables.tenant import Tenant


class Route(Table, tablename="route"):
    """An alias, or a pattern of local parts, of a domain."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    domain_id = ForeignKey(Domain, null=False, default=None, db_column_name="domain_id")
    pattern = Varchar(length=64, help_text="a local part in lower case; `*` stands for anything")
    created_at = Timestamptz(default=None)


class RouteTarget(Table, tablename="route_target"):
    """A mailbox that a route leads to."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    route_id = ForeignKey(Route, null=False, default=None, db_column_name="route_id")
    mailbox_id = ForeignKey(
        Mailbox, null=False, default=None, db_column_name="mailbox_id", index=True
    )
