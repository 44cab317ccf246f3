"""What search keeps beside its index."""

from piccolo.columns import UUID, BigInt, ForeignKey, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table

from app.storage.db.tables.mailbox import Mailbox
from app.storage.db.tables.message import Message
from app.storage.db.tables.tenant import Tenant
from app.storage.db.tables.user import User


class SearchIndexState(Table, tablename="search_index"):
    """How far a mailbox is indexed, in which engine, and whether somebody wants it rebuilt.

    `position` is that of the last event whose effect its index holds: an index that says less of
    itself has lost something.
    """

    mailbox_id = ForeignKey(
        Mailbox, primary_key=True, null=False, default=None, db_column_name="mailbox_id"
    )
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    engine = Varchar(length=10, help_text="whoosh or postgres")
    position = BigInt()
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
