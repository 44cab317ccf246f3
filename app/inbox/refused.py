"""Mail that was refused, as its tenant may see it: newest first, by keyset."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.inbox.listing import decode_cursor, encode_cursor
from app.storage.db.database import Database, Record

_PAGE = 50
_COLUMNS = """id, trace_id, refused_at, client_address, client_name, mail_from, recipient, code,
    enhanced_code, cause, reply, sampled_out"""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """One recipient whose mail was refused. `mail_from` is empty for the null reverse-path."""

    id: UUID
    trace_id: UUID
    refused_at: datetime
    client_address: str
    client_name: str
    mail_from: str
    recipient: str
    code: int
    enhanced_code: str
    cause: str
    reply: str
    sampled_out: int

    @property
    def is_temporary(self) -> bool:
        """Whether its sender was asked to try again (RFC 5321, section 4.2.1)."""
        return self.code < 500


@dataclass(frozen=True, slots=True)
class RefusedPage:
    rows: Sequence[RefusedRow]
    next_cursor: str | None


async def list_refused(
    database: Database,
    tenant_id: UUID,
    *,
    words: str = "",
    since: datetime | None = None,
    cursor: str | None = None,
) -> RefusedPage:
    """Those of a tenant in whose sender, recipient, client name or address all of `words` occur,
    in any part of them and whatever their case.

    It walks the index of the tenant's newest, so it reads no more than that tenant's rows, which
    are sampled and kept for a month. Raises `InvalidInput` for a cursor that is not ours.
    """
    arguments: list[object] = [tenant_id]

    def argument(value: object) -> str:
        arguments.append(value)
        return f"${len(arguments)}"

    conditions = ["tenant_id = $1"]
    for word in words.lower().split():
        conditions.append(
            f"""position({argument(word)} in lower(concat_ws(
                ' ', mail_from, recipient, client_name, client_address))) > 0"""
        )
    if since is not None:
        conditions.append(f"refused_at >= {argument(since)}")
    if cursor:
        refused_at, refused_id = decode_cursor(cursor)
        conditions.append(f"(refused_at, id) < ({argument(refused_at)}, {argument(refused_id)})")
    rows = await database.fetch(
        f"""select {_COLUMNS} from refused_mail where {" and ".join(conditions)}
        order by refused_at desc, id desc limit {_PAGE + 1}""",
        *arguments,
    )
    found = [_to_row(row) for row in rows]
    if len(found) <= _PAGE:
        return RefusedPage(found, None)
    last = found[_PAGE - 1]
    return RefusedPage(found[:_PAGE], encode_cursor(last.refused_at, last.id))


def _to_row(row: Record) -> RefusedRow:
    return RefusedRow(*row)
