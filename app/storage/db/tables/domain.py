"""Domains that we receive for, what was seen of them in the DNS, and their keys."""

from piccolo.columns import (
    JSONB,
    UUID,
    Array,
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


class Domain(Table, tablename="domain"):
    """A domain name and what becomes of mail for it. Only one verified owner for a name."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    name = Varchar(length=253)
    status = Varchar(length=20, help_text="pending, verified, soft_rejected or suspended")
    recipient_policy = Varchar(
        length=20, help_text="reject_unknown, accept_and_discard or reply_after_data"
    )
    monitored = Boolean(default=True, help_text="False: an operator vouched for it")
    verification_token = Varchar(length=64)
    verified_at = Timestamptz(null=True, default=None)
    created_at = Timestamptz(default=None)
    mta_sts_mode = Varchar(length=10, default="testing", help_text="none, testing or enforce")
    ownership_lost_at = Timestamptz(null=True, default=None)
    mx_lost_at = Timestamptz(null=True, default=None)
    checked_at = Timestamptz(null=True, default=None)
    next_check_at = Timestamptz(null=True, default=None)
    checks_alike = Integer(default=0, help_text="in a row that changed nothing")


class DomainCheck(Table, tablename="domain_check"):
    """What was seen of a domain, from the first check that saw it so to the last."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id", index=True)
    domain_id = ForeignKey(Domain, null=False, default=None, db_column_name="domain_id")
    status = Varchar(length=20, help_text="of the domain, after it")
    changes = Array(base_column=Varchar(length=20))
    outcome = Varchar(length=20)
    sightings = JSONB()
    times = Integer(default=1)
    first_at = Timestamptz(default=None)
    last_at = Timestamptz(default=None)


class DomainSigningKey(Table, tablename="domain_signing_key"):
    """The DKIM key pair of a domain (RFC 6376)."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id", index=True)
    domain_id = ForeignKey(
        Domain, null=False, default=None, db_column_name="domain_id", unique=True
    )
    selector = Varchar(length=63)
    public_key = Text(help_text="base64 of its SubjectPublicKeyInfo")
    private_key_sealed = Bytea()
    created_at = Timestamptz(default=None)
