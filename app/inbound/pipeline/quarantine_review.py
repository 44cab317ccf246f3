"""The quarantine as people look through it: their tenant's, and for operators what is nobody's."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.access.audit import Audit
from app.access.grants import Grant
from app.core.errors import NotFound
from app.eventlog.append import EventLog
from app.eventlog.types import EventType
from app.inbound.pipeline.pipeline import Pipeline
from app.inbound.pipeline.quarantine import Quarantine
from app.storage.db.keyset import PAGE_ROWS, Page, cut_page, decode_key

_HEAD_CHARS = 2000


@dataclass(frozen=True, slots=True)
class HeldItem:
    """A message that could not be taken in, or a damaged part of the spool, which has no source
    and cannot be tried again. `recipients` is one line."""

    item_id: UUID
    trace_id: UUID
    tenant_id: UUID | None
    stage: str
    reason: str
    size_bytes: int
    mail_from: str
    recipients: str
    client: str
    created_at: datetime
    is_whole: bool


@dataclass(frozen=True, slots=True)
class QuarantineReview:
    """Each method sees only what the grant lets it, and raises `NotFound` for the rest."""

    quarantine: Quarantine
    pipeline: Pipeline
    log: EventLog
    audit: Audit

    async def list(
        self, grant: Grant, *, words: str = "", cursor: str | None = None
    ) -> Page[HeldItem]:
        """Newest first; those in whose sender, recipients or reason all of `words` occur. Raises
        `InvalidInput` for a cursor that is not ours."""
        before = decode_key(cursor, 1)[0] if cursor else str(UUID(int=2**128 - 1))
        rows = await self.quarantine.database.fetch(
            f"""select * from ({_SELECT} where {_VISIBLE}) as held
            where (created_at, item_id) < (
                coalesce((select created_at from quarantine where id = $3::text::uuid),
                    'infinity'), $3::text::uuid)
                and not exists (
                    select from unnest($4::text[]) as word where position(
                        word in lower(concat_ws(' ', mail_from, recipients, stage, reason))) = 0)
            order by created_at desc, item_id desc limit {PAGE_ROWS + 1}""",
            grant.tenant_id,
            grant.is_operator,
            before,
            words.replace("\0", " ").lower().split(),
        )
        found = [HeldItem(**row) for row in rows]
        return cut_page(found, PAGE_ROWS, lambda item: (str(item.item_id),))

    async def find(self, grant: Grant, item_id: UUID) -> HeldItem:
        row = await self.quarantine.database.fetch_one(
            f"{_SELECT} where {_VISIBLE} and id = $3",
            grant.tenant_id,
            grant.is_operator,
            item_id,
        )
        if row is None:
            raise NotFound("There is nothing like that in quarantine.")
        return HeldItem(**row)

    async def read_raw(self, grant: Grant, item_id: UUID) -> bytes:
        await self.find(grant, item_id)
        return await self.quarantine.read_raw(item_id)

    async def read_head(self, grant: Grant, item_id: UUID) -> str:
        """How it begins, as text: bytes that are not ASCII as `\\xff`, so that nothing steers what
        shows it."""
        raw = await self.read_raw(grant, item_id)
        head = raw[:_HEAD_CHARS].replace(b"\r\n", b"\n").decode("ascii", "backslashreplace")
        return "".join(c if c in "\n\t" or c.isprintable() else f"\\x{ord(c):02x}" for c in head)

    async def retry(self, grant: Grant, item_id: UUID) -> bool:
        """Takes it in again. False when it stays, with its newest reason."""
        item = await self.find(grant, item_id)
        taken_in = await self.quarantine.retry(item_id, self.pipeline)
        async with self.log.transaction() as transaction:
            await self.audit.record(
                transaction,
                grant.actor,
                EventType.ACCESS_QUARANTINE_RETRIED,
                tenant_id=item.tenant_id,
                subject=("spool_item", item_id),
                told={"taken_in": taken_in},
            )
        return taken_in

    async def drop(self, grant: Grant, item_id: UUID) -> None:
        """Forgets it and its bytes."""
        item = await self.find(grant, item_id)
        async with self.log.unit() as unit:
            await self.quarantine.drop(item_id)
            await self.audit.record(
                unit,
                grant.actor,
                EventType.ACCESS_QUARANTINE_DROPPED,
                tenant_id=item.tenant_id,
                subject=("spool_item", item_id),
                facts={"from": item.mail_from, "stage": item.stage},
            )


_VISIBLE = "(tenant_id = $1 or ($2 and tenant_id is null))"
_SELECT = """
select id as item_id, trace_id, tenant_id, stage, reason, size_bytes,
    coalesce(source->'envelope'->>'mail_from', '') as mail_from,
    coalesce(array_to_string(array(
        select jsonb_array_elements_text(source->'envelope'->'rcpt_to') limit 20), ', '), '')
        as recipients,
    concat_ws(' ', nullif(source->>'client_name', ''), nullif(source->>'client_address', ''))
        as client,
    created_at, source <> '{}'::jsonb as is_whole
from quarantine
"""
