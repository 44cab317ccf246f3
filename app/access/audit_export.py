"""The audit trail as files: CSV for people with spreadsheets, JSON lines for programs."""

import csv
import io
from collections.abc import AsyncIterator, Iterable

import msgspec

from app.access.audit import AuditEntry

_COLUMNS = (
    *("number", "recorded_at", "action", "actor_kind", "actor_id", "actor_name", "actor_address"),
    *("subject_type", "subject_id", "facts", "id", "tenant_id", "hash"),
)
# A spreadsheet takes what begins so for a formula, after spaces too (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


async def export_csv(entries: AsyncIterator[AuditEntry]) -> AsyncIterator[bytes]:
    """RFC 4180, with a header. Cells that a spreadsheet would calculate begin with `'`."""
    yield _line(_COLUMNS)
    async for entry in entries:
        values = _describe(entry)
        values["facts"] = msgspec.json.encode(entry.facts, order="sorted").decode()
        yield _line(
            [_defuse("" if values[name] is None else str(values[name])) for name in _COLUMNS]
        )


async def export_json_lines(entries: AsyncIterator[AuditEntry]) -> AsyncIterator[bytes]:
    """One JSON object a line."""
    async for entry in entries:
        yield msgspec.json.encode(_describe(entry)) + b"\n"


def _describe(entry: AuditEntry) -> dict[str, object]:
    return {
        "number": entry.number,
        "recorded_at": entry.recorded_at.isoformat(timespec="microseconds"),
        "action": entry.action,
        "actor_kind": entry.actor.kind,
        "actor_id": entry.actor.id,
        "actor_name": entry.actor.name,
        "actor_address": entry.actor.address,
        "subject_type": entry.subject_type,
        "subject_id": entry.subject_id,
        "facts": entry.facts,
        "id": entry.id,
        "tenant_id": entry.tenant_id,
        "hash": entry.hash.hex(),
    }


def _defuse(cell: str) -> str:
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def _line(cells: Iterable[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()
