"""How often an event happens, in words (RFC 5545, section 3.3.10)."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

_UNITS = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}
_DAYS = {
    "MO": "Monday",
    "TU": "Tuesday",
    "WE": "Wednesday",
    "TH": "Thursday",
    "FR": "Friday",
    "SA": "Saturday",
    "SU": "Sunday",
}
_PLACES = {"1": "first", "2": "second", "3": "third", "4": "fourth", "5": "fifth", "-1": "last"}
_MAX_DAYS = 7


def describe_recurrence(rule: Mapping[str, Any]) -> str:
    """`Every 2 weeks on Monday and Friday, 10 times`. What is more than simple is left out."""
    unit = _UNITS.get(_first(rule, "FREQ").upper())
    if unit is None:
        return "Repeatedly"
    interval = _first(rule, "INTERVAL")
    words = f"Every {interval} {unit}s" if interval not in ("", "1") else f"Every {unit}"
    days = [_describe_weekday(str(day)) for day in _all(rule, "BYDAY")[:_MAX_DAYS]]
    if days and all(days):
        words += f" on {_join(days)}"
    elif month_days := _all(rule, "BYMONTHDAY")[:_MAX_DAYS]:
        words += f" on day {_join([str(day) for day in month_days])}"
    if count := _first(rule, "COUNT"):
        words += ", once" if count == "1" else f", {count} times"
    elif isinstance(until := next(iter(_all(rule, "UNTIL")), None), date):
        words += f", until {describe_day(until)}"
    return words


def describe_day(day: date) -> str:
    """`Monday 23 November 2026`."""
    return f"{day:%A} {day.day} {day:%B} {day.year}"


def _describe_weekday(code: str) -> str:
    """Of `MO`, `2TU` or `-1FR`; empty for anything else."""
    day = _DAYS.get(code[-2:].upper(), "")
    place = code[:-2].removeprefix("+")
    if not (place and day):
        return day
    return f"the {_PLACES[place]} {day}" if place in _PLACES else ""


def _join(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _all(rule: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = rule.get(name, ())
    return value if isinstance(value, (list, tuple)) else [value]


def _first(rule: Mapping[str, Any], name: str) -> str:
    return str(next(iter(_all(rule, name)), ""))[:10]
