"""Readers of the event log."""

from piccolo.columns import UUID, Array, BigInt, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table


class Consumer(Table, tablename="consumer"):
    """Everything up to `position` was dealt with. `leader` may go on until `lease_until`. `types`
    are the events that it wants, as its last leader said."""

    name = Varchar(length=60, primary_key=True)
    position = BigInt()
    leader = UUID(default=None)
    lease_until = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)
    types = Array(base_column=Text())


class ParkedEvent(Table, tablename="parked_event"):
    """An event that a consumer could not handle and went past. `asked_at` is set while somebody
    wants it handled again."""

    id = UUID(primary_key=True, default=None)
    consumer = Varchar(length=60)
    position = BigInt()
    event_id = UUID(default=None)
    tenant_id = UUID(null=True, default=None)
    type = Varchar(length=40)
    reason = Text()
    attempts = Integer()
    parked_at = Timestamptz(default=None)
    asked_at = Timestamptz(null=True, default=None)


class Replay(Table, tablename="replay"):
    """Events that a consumer is to be handed again, from `first_position` to `last_position`, both
    included; all below `next_position` were. Without `types` all that it wants."""

    id = UUID(primary_key=True, default=None)
    consumer = Varchar(length=60)
    types = Array(base_column=Text(), null=True, default=None)
    first_position = BigInt()
    next_position = BigInt()
    last_position = BigInt()
    event_count = BigInt()
    asked_at = Timestamptz(default=None)
    finished_at = Timestamptz(null=True, default=None)
