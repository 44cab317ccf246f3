"""Objects whose last reference went: listed in the transaction that dropped it, removed later."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from app.core.ids import Ids
from app.storage.blobs.keys import raw_key
from app.storage.db.database import Connection


async def release_objects(
    connection: Connection, keys: Sequence[str], *, ids: Ids, now: datetime
) -> None:
    """Nothing refers to these objects any more once the transaction commits."""
    if keys:
        await connection.execute(
            """insert into released_object (id, storage_key, released_at)
            select id, storage_key, $3 from unnest($1::uuid[], $2::text[]) as new (id, storage_key)
            """,
            [ids.new() for _ in keys],
            keys,
            now,
        )


async def release_raw_messages(
    connection: Connection, messages: Sequence[tuple[UUID, bytes]], *, ids: Ids, now: datetime
) -> None:
    """One reference fewer for each (tenant, SHA-256); the last one releases the object."""
    tenant_ids = [tenant_id for tenant_id, _ in messages]
    digests = [sha256 for _, sha256 in messages]
    await connection.execute(
        """update raw_blob set reference_count = reference_count - dropped.count
        from (
            select tenant_id, sha256, count(*) from unnest($1::uuid[], $2::bytea[])
                as gone (tenant_id, sha256) group by tenant_id, sha256
        ) as dropped
        where raw_blob.tenant_id = dropped.tenant_id and raw_blob.sha256 = dropped.sha256""",
        tenant_ids,
        digests,
    )
    rows = await connection.fetch(
        """delete from raw_blob using unnest($1::uuid[], $2::bytea[]) as gone (tenant_id, sha256)
        where raw_blob.tenant_id = gone.tenant_id and raw_blob.sha256 = gone.sha256
            and reference_count = 0
        returning raw_blob.tenant_id, raw_blob.sha256""",
        tenant_ids,
        digests,
    )
    keys = [raw_key(row["tenant_id"], row["sha256"]) for row in rows]
    await release_objects(connection, keys, ids=ids, now=now)
