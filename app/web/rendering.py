"""How values become pages: one Jinja environment, its filters, the addresses of static files."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Request
from markupsafe import Markup, escape

from app.access.sessions import Session
from app.core.clock import Clock
from app.web.assets import Assets
from app.web.kept import keep_part, keep_rows

TEMPLATE_FOLDER = Path(__file__).parents[2] / "templates"
_CSRF_FIELD = '<input type="hidden" name="csrf_token" value="%s">'


def create_environment(clock: Clock, assets: Assets) -> Environment:
    """The environment that renders every template; escaping is always on.

    Templates see `asset(name)`, `icon(name)`, `granted(request)`, `session_of(request)`,
    `csrf_field(csrf_token)` and functions that draw what is kept (`draw_...`), and the filters
    `age`, `time_left`, `exact`, `moment`, `day`, `iso`, `duration`, `size`, `counted`, `capped`,
    `printable`, `prose` and `file_icon`. An undefined variable raises.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "asset": assets.url,
        "icon": assets.icon,
        "granted": list_granted,
        "session_of": find_session,
        "csrf_field": draw_csrf_field,
    }
    environment.filters |= {
        "age": lambda moment: draw_age(moment, clock.now()),
        "time_left": lambda moment: describe_time_left(moment, clock.now()),
        "exact": describe_exactly,
        "moment": describe_moment,
        "day": describe_day,
        "iso": format_iso,
        "duration": describe_duration,
        "size": describe_size,
        "counted": count,
        "capped": cap,
        "printable": keep_printable,
        "prose": draw_prose,
        "file_icon": choose_file_icon,
    }
    environment.globals |= {
        "draw_rail": keep_part(
            environment,
            "_rail.html",
            *("signed_in_as", "may_sign_out", "section", "may", "anybody"),
        ),
        "draw_keys": keep_part(environment, "_keys.html", "signed_in"),
        "draw_scripts": keep_part(environment, "_scripts.html"),
        "draw_search_box": keep_part(environment, "search/_box.html", "q", "search_mailbox"),
        "draw_rows": keep_rows(
            environment, clock, lambda moment: describe_age(moment, clock.now())
        ),
        "draw_folders": keep_part(
            environment,
            "inbox/_folders.html",
            *("view", "mailboxes", "labels", "counts", "tenant_name"),
        ),
        "draw_toolbar": keep_part(
            environment,
            "messages/_toolbar.html",
            *("view", "title", "mailbox_address", "labels", "base_url", "position", "may_write"),
        ),
    }
    return environment


def list_granted(request: Request[Any, Any, Any] | None) -> frozenset[str]:
    """The permissions of whoever asks, so that a page offers only what they may open, and the word
    `operator` where they run the installation. Empty for visitors."""
    grant = request.scope.get("auth") if request is not None else None
    if grant is None:
        return frozenset()
    return frozenset(grant.permissions) | ({"operator"} if grant.is_operator else set())


def find_session(request: Request[Any, Any, Any] | None) -> Session | None:
    """Whom the guard found; None for visitors, and where it was not asked."""
    return request.scope.get("user") if request is not None else None


def draw_csrf_field(csrf_token: object) -> Markup:
    """What a form carries to prove that it is ours. Nothing on a page that gives no token, where
    the framework has a function of its own under that name."""
    if not isinstance(csrf_token, str):
        return Markup("")
    return Markup(_CSRF_FIELD % escape(csrf_token))  # noqa: S704


# Names of our own: strftime's change with the locale of the process.
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def draw_age(moment: datetime, now: datetime) -> Markup:
    """A `<time>` that says how long ago, with the exact time on hover."""
    moment = moment.astimezone(UTC)
    machine, exact, age = format_iso(moment), describe_exactly(moment), describe_age(moment, now)
    return Markup(f'<time data-age datetime="{machine}" title="{exact}">{age}</time>')  # noqa: S704


def describe_age(moment: datetime, now: datetime) -> str:
    """How long ago, as people say it: `5 min ago` within a week, then `12 Mar`, then its year too.

    `static/time.js` says the same words while a page stays open.
    """
    seconds = int((now - moment).total_seconds())
    if seconds < 60:
        return "now"
    if seconds < 3600:
        return f"{seconds // 60} min ago"
    if seconds < 86_400:
        return f"{count(seconds // 3600, 'hour')} ago"
    if seconds < 7 * 86_400:
        return f"{count(seconds // 86_400, 'day')} ago"
    day, text = moment.astimezone(UTC), describe_date(moment)
    return text if day.year == now.astimezone(UTC).year else f"{text} {day.year}"


def describe_date(moment: datetime) -> str:
    """Without its year, in UTC: `12 Mar`."""
    day = moment.astimezone(UTC)
    return f"{day.day} {_MONTHS[day.month - 1][:3]}"


def describe_time_left(moment: datetime, now: datetime) -> str:
    """How long until `moment`, rounded down: `58 minutes left`. `static/time.js` says the same."""
    seconds = int((moment - now).total_seconds())
    if seconds <= 0:
        return "time is up"
    return "less than a minute left" if seconds < 60 else f"{describe_duration(seconds)} left"


def describe_duration(seconds: int) -> str:
    """Whole minutes up to two hours, whole hours up to two days, then whole days."""
    if seconds < 2 * 3600:
        return count(seconds // 60, "minute")
    if seconds < 2 * 86_400:
        return count(seconds // 3600, "hour")
    return count(seconds // 86_400, "day")


def describe_exactly(moment: datetime) -> str:
    """The day and the minute in UTC: `Sunday 22 November 2026, 06:37 UTC`."""
    day = moment.astimezone(UTC)
    name, month = _DAYS[day.weekday()], _MONTHS[day.month - 1]
    return f"{name} {day.day} {month} {day.year}, {day.hour:02}:{day.minute:02} UTC"


def describe_moment(moment: datetime) -> str:
    """The time of day in UTC, to the millisecond: `06:37:12.408`."""
    return moment.astimezone(UTC).time().isoformat(timespec="milliseconds")


def describe_day(moment: datetime) -> str:
    """The day in UTC: `Sunday 22 November 2026`."""
    return describe_exactly(moment).partition(",")[0]


def format_iso(moment: datetime) -> str:
    """For machines, in UTC and to the second: `2026-11-22T06:37:12Z` (RFC 3339)."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def describe_size(size_bytes: int) -> str:
    """Two significant figures in decimal units: `512 bytes`, `1.2 KB`, `34 MB`."""
    if size_bytes < 1000:
        return count(size_bytes, "byte")
    size, unit = size_bytes / 1000, "KB"
    for larger in ("MB", "GB"):
        if size >= 999.5:
            size, unit = size / 1000, larger
    return f"{size:.1f} {unit}" if size < 9.95 else f"{size:.0f} {unit}"


def count(number: int, noun: str) -> str:
    """`1 message`, `2 messages`, `1,200 messages`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def cap(number: int) -> str:
    """A number that only has to say how many roughly: `` for none, `12`, `999+`."""
    return "999+" if number > 999 else str(number or "")


_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


def keep_printable(text: str) -> str:
    """`text` on one line, without the characters that steer a display instead of showing.

    Direction overrides (Unicode Standard Annex 9, section 2) let `gpj.exe` read as `exe.jpg`.
    """
    if isinstance(text, Markup):
        return text  # of ours, made from printable text
    if not text.isprintable():
        text = _UNPRINTABLE.sub(" ", text)
    return text.strip()


_CODE, _STRONG = re.compile(r"`([^`]+)`"), re.compile(r"\*\*([^*]+)\*\*")


def draw_prose(text: str) -> Markup:
    """Text of our own with `code` in backticks and words in **double stars**, as in Markdown."""
    marked = _CODE.sub(r"<code>\1</code>", str(escape(text)))
    return Markup(_STRONG.sub(r"<strong>\1</strong>", marked))  # noqa: S704 - escaped above


_FILE_ICONS = (
    (("image/",), "file-image"),
    (("text/calendar",), "calendar"),
    (("message/",), "mail"),
    (("audio/", "video/"), "file-play"),
    (("text/", "application/pdf", "application/msword"), "file-text"),
    (("application/zip", "application/gzip", "application/x-"), "file-archive"),
)


def choose_file_icon(content_type: str) -> str:
    """The name of the icon that stands for a media type."""
    kind = content_type.lower()
    return next((icon for prefixes, icon in _FILE_ICONS if kind.startswith(prefixes)), "file")
