"""Readers of the event log."""

from piccolo.columns import UUID, BigInt, Timestamptz, Varchar
from piccolo.table import Table


class Consumer(Table, tablename="consumer"):
    """Everything up to `position` was dealt with. `leader` may go on until `lease_until`."""

    name = Varchar(length=60, primary_key=True)
    position = BigInt()
    leader = UUID(default=None)
    lease_until = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)
