"""What follows from the answer to a try: the whole policy of retries, in pure functions.

After the Standard Webhooks specification, section "Deliverability and reliability".
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum, auto

# After each failure; the last try comes more than three days after the first.
RETRY_AFTER_SECONDS = (
    *(5, 5 * 60, 30 * 60),
    *(hours * 3600 for hours in (2, 5, 10, 14, 20, 24)),
)
MAX_ATTEMPTS = len(RETRY_AFTER_SECONDS) + 1
DISABLE_AFTER = timedelta(days=5)
"""Of failures without one success in between."""
_JITTER = 0.2
_MAX_REST = timedelta(days=1)
_GONE = 410
_ASK_FOR_REST = (429, 503)


class Verdict(Enum):
    DELIVERED = auto()
    RETRY = auto()
    GIVEN_UP = auto()
    GONE = auto()
    """Given up, and nothing more is wanted there."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a try. `status` is None where no answer came, and `error` says why; `rest` is
    how long nothing more is wanted, as the answer asked for."""

    duration_ms: int
    status: int | None = None
    head: str = ""
    error: str = ""
    rest: timedelta | None = None


def judge(status: int | None, attempts: int, *, is_test: bool) -> Verdict:
    """`attempts` counts this try, from 1. Redirects are failures like any other."""
    if status is not None and 200 <= status <= 299:
        return Verdict.DELIVERED
    if status == _GONE:
        return Verdict.GONE
    return Verdict.GIVEN_UP if is_test or attempts >= MAX_ATTEMPTS else Verdict.RETRY


def retry_delay(attempts: int, rest: timedelta | None) -> timedelta:
    """The wait after this many failures, longer by up to a fifth so that retries spread, and no
    shorter than the rest that was asked for."""
    delay = timedelta(
        seconds=RETRY_AFTER_SECONDS[attempts - 1] * random.uniform(1, 1 + _JITTER)  # noqa: S311
    )
    return max(delay, rest) if rest is not None else delay


def read_rest(status: int, retry_after: str, now: datetime) -> timedelta | None:
    """`Retry-After` of a 429 or 503, in seconds or as a date (RFC 9110, section 10.2.3): a day at
    most. None for other answers, and for what is neither."""
    if status not in _ASK_FOR_REST:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), _MAX_REST.total_seconds()))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(moment - now, timedelta()), _MAX_REST)
