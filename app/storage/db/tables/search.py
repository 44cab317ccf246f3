"""What search keeps."""

from piccolo.columns import UUID, BigInt, Column, ForeignKey, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table

from app.storage.db.tables.mailbox import Mailbox
from app.storage.db.tables.message import Message
from app.storage.db.tables.tenant import Tenant
from app.storage.db.tables.user import User


class TsVector(Column):
    """Lexemes and their positions, which no Piccolo column has. Read and written by SQL only."""

    value_type = str


class SearchDocument(Table, tablename="search_document"):
    """What the Postgres engine searches of a message: lexemes of our own making."""

    message_id = ForeignKey(
        Message, primary_key=True, null=False, default=None, db_column_name="message_id"
    )
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    mailbox_id = ForeignKey(Mailbox, null=False, default=None, db_column_name="mailbox_id")
    received_at = Timestamptz(default=None)
    terms = TsVector()


class SearchIndexState(Table, tablename="search_index"):
    """How far a mailbox is indexed, in which engine, and whether somebody wants it rebuilt.

    `generation` is the index's own count of its commits when it was last seen to be complete: an
    index that is behind it has lost something.
    """

    mailbox_id = ForeignKey(
        Mailbox, primary_key=True, null=False, default=None, db_column_name="mailbox_id"
    )
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    engine = Varchar(length=10, help_text="whoosh or postgres")
    generation = BigInt()
    rebuild_requested_at = Timestamptz(null=True, default=None)
    rebuild_done = Integer(default=0, help_text="messages, of `rebuild_total`")
    rebuild_total = Integer(default=0)
    rebuilt_at = Timestamptz(null=True, default=None)


class Correspondent(Table, tablename="correspondent"):
    """Somebody who wrote to a mailbox; `message_id` is the newest message from them."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    mailbox_id = ForeignKey(Mailbox, null=False, default=None, db_column_name="mailbox_id")
    message_id = ForeignKey(
        Message, null=True, default=None, db_column_name="message_id", index=True
    )
    address = Text(help_text="in lower case")
    name = Text()
    last_seen_at = Timestamptz(default=None)


class SavedSearch(Table, tablename="saved_search"):
    """A query that a person keeps under a name."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    user_id = ForeignKey(User, null=False, default=None, db_column_name="user_id")
    name = Varchar(length=60)
    query = Varchar(length=1024)
    created_at = Timestamptz(default=None)
