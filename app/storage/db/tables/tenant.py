"""Tenants: the owners of everything else."""

from piccolo.columns import UUID, Integer, Timestamptz, Varchar
from piccolo.table import Table


class Tenant(Table, tablename="tenant"):
    """An organisation, a developer, or the one that all temporary inboxes belong to."""

    id = UUID(primary_key=True, default=None)
    name = Varchar(length=200, unique=True)
    plan = Varchar(length=20, help_text="developer, temporary or enterprise")
    next_ticket_number = Integer(default=1)
    created_at = Timestamptz(default=None)
