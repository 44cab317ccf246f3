"""Addresses that tenants want to be told at, and what they are told."""

from piccolo.columns import (
    UUID,
    Array,
    BigInt,
    Boolean,
    Bytea,
    ForeignKey,
    Integer,
    Text,
    Timestamptz,
    Varchar,
)
from piccolo.table import Table

from app.storage.db.tables.tenant import Tenant


class WebhookEndpoint(Table, tablename="webhook_endpoint"):
    """An address, and which events it is told of: those after `start_position`."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    url = Text()
    description = Varchar(length=200, default="")
    types = Array(
        base_column=Varchar(length=40), help_text="types, or `group.*`; empty: all but access.*"
    )
    mailbox_ids = Array(base_column=UUID(), help_text="empty: all, and what is no mailbox's")
    is_ordered = Boolean(default=False)
    secret_sealed = Bytea()
    previous_secret_sealed = Bytea(null=True, default=None, help_text="signs too, for a while")
    previous_until = Timestamptz(null=True, default=None)
    state = Varchar(length=10, default="enabled", help_text="enabled or disabled")
    disabled_reason = Varchar(length=20, default="", help_text="by_hand, gone or failing")
    disabled_at = Timestamptz(null=True, default=None)
    disabled_position = BigInt(
        null=True, default=None, help_text="events after it may have been missed"
    )
    failing_since = Timestamptz(null=True, default=None, help_text="no success from then on")
    resting_until = Timestamptz(null=True, default=None, help_text="as it asked for")
    start_position = BigInt()
    created_at = Timestamptz(default=None)


class WebhookDelivery(Table, tablename="webhook_delivery"):
    """An event for an endpoint. A pending one is due at `next_attempt_at`."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    endpoint_id = ForeignKey(
        WebhookEndpoint, null=False, default=None, db_column_name="endpoint_id"
    )
    event_id = UUID(default=None)
    position = BigInt(null=True, default=None, help_text="null: a test, of no event")
    mailbox_id = UUID(null=True, default=None)
    type = Varchar(length=40)
    trace_id = UUID(default=None, index=True)
    payload = Text()
    state = Varchar(length=10, default="pending", help_text="pending, delivered or failed")
    attempts = Integer(default=0, help_text="of the tries that are under way")
    next_attempt_at = Timestamptz(default=None)
    lease_until = Timestamptz(null=True, default=None)
    created_at = Timestamptz(default=None)
    finished_at = Timestamptz(null=True, default=None)


class WebhookAttempt(Table, tablename="webhook_attempt"):
    """One try to deliver. Without `duration_ms` it is under way, or its end is not known."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    delivery_id = ForeignKey(
        WebhookDelivery, null=False, default=None, db_column_name="delivery_id"
    )
    started_at = Timestamptz(default=None)
    duration_ms = Integer(null=True, default=None)
    status = Integer(null=True, default=None)
    response_head = Text(default="")
    error = Varchar(length=200, default="")


class WebhookReplay(Table, tablename="webhook_replay"):
    """Older events that an endpoint is to be sent: those after `position`, which moves."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    endpoint_id = ForeignKey(
        WebhookEndpoint, null=False, default=None, db_column_name="endpoint_id"
    )
    which = Varchar(length=12, help_text="new, undelivered or all")
    position = BigInt()
    to_position = BigInt()
    deliveries = Integer(default=0)
    created_at = Timestamptz(default=None)
    finished_at = Timestamptz(null=True, default=None)
