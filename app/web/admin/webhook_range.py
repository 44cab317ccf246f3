"""Choosing a part of the event log in a form: by its age, by a moment, or by positions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from litestar.datastructures import FormMultiDict

from app.core.errors import InvalidInput
from app.webhooks.replays import Range

NOW, MISSED, MOMENT, POSITION = "now", "missed", "moment", "position"
AGES: Mapping[str, tuple[str, timedelta | None]] = {
    "hour": ("From the last hour", timedelta(hours=1)),
    "day": ("From the last 24 hours", timedelta(days=1)),
    "week": ("From the last 7 days", timedelta(days=7)),
    "all": ("From the beginning of the log", None),
}
_MAX_POSITION = 2**62


@dataclass(frozen=True, slots=True)
class RangeFields:
    """What `admin/webhooks/_range.html` is filled from."""

    start: str
    since: str = ""
    position: str = ""
    until: str = ""

    @classmethod
    def sent(cls, form: FormMultiDict) -> "RangeFields":
        """As they were sent, to be put right."""
        return cls(
            str(form.get("start", NOW)),
            *(str(form.get(name, "")) for name in ("since", "position", "until")),
        )


def read_range(form: FormMultiDict, now: datetime, missed_after: int | None = None) -> Range:
    """What the fields ask for. Raises `InvalidInput`."""
    start = str(form.get("start", ""))
    until = _read_moment(form, "until")
    if start in AGES:
        _, length = AGES[start]
        return Range(since=now - length if length else None, until=until)
    if start == MISSED and missed_after is not None:
        return Range(after=missed_after, until=until)
    if start == MOMENT:
        since = _read_moment(form, "since")
        if since is None:
            raise InvalidInput("Say from which moment on.", "since")
        return Range(since=since, until=until)
    if start == POSITION:
        return Range(after=_read_position(form), until=until)
    raise InvalidInput("Choose one of what is offered.", "start")


def _read_moment(form: FormMultiDict, name: str) -> datetime | None:
    """As browsers send it, taken as UTC. None where nothing was written."""
    text = str(form.get(name, "")).strip()
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise InvalidInput("Write a moment as 2026-11-22 09:30.", name) from error


def _read_position(form: FormMultiDict) -> int:
    text = str(form.get("position", "")).strip()
    if not (text.isascii() and text.isdigit() and int(text[:20]) <= _MAX_POSITION):
        raise InvalidInput("A position is a whole number from 0 on.", "position")
    return int(text)
