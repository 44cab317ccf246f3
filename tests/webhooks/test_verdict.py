"""The policy of retries."""

from datetime import UTC, datetime, timedelta

import pytest

from app.webhooks.verdict import (
    MAX_ATTEMPTS,
    RETRY_AFTER_SECONDS,
    Verdict,
    judge,
    read_rest,
    retry_delay,
)

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.DELIVERED),
        (204, Verdict.DELIVERED),
        (299, Verdict.DELIVERED),
        (None, Verdict.RETRY),
        (100, Verdict.RETRY),
        (301, Verdict.RETRY),
        (308, Verdict.RETRY),
        (400, Verdict.RETRY),
        (404, Verdict.RETRY),
        (410, Verdict.GONE),
        (429, Verdict.RETRY),
        (503, Verdict.RETRY),
    ],
)
def test_only_2xx_delivers_and_410_ends_it(status: int | None, verdict: Verdict) -> None:
    assert judge(status, 1, is_test=False) is verdict


def test_last_try_gives_up_and_so_does_a_test() -> None:
    assert judge(500, MAX_ATTEMPTS - 1, is_test=False) is Verdict.RETRY
    assert judge(500, MAX_ATTEMPTS, is_test=False) is Verdict.GIVEN_UP
    assert judge(500, 1, is_test=True) is Verdict.GIVEN_UP


def test_retries_go_on_for_about_three_days_and_spread() -> None:
    assert 72 <= sum(RETRY_AFTER_SECONDS) / 3600 <= 96
    for attempts, seconds in enumerate(RETRY_AFTER_SECONDS, 1):
        delays = {retry_delay(attempts, None).total_seconds() for _ in range(100)}
        assert seconds <= min(delays) <= max(delays) <= 1.2 * seconds
        assert len(delays) > 50


@pytest.mark.parametrize(
    ("status", "text", "seconds"),
    [
        (429, "120", 120),
        (503, " 7 ", 7),
        (429, "Sun, 22 Nov 2026 09:31:00 GMT", 60),
        (429, "Sun, 22 Nov 2026 09:00:00 GMT", 0),
        (429, "99999999999999999999", 86400),
        (429, "Sun, 22 Nov 2099 09:00:00 GMT", 86400),
        (429, "Sun, 22 Nov 2026 09:31:00", 60),
        (500, "120", None),
        (429, "", None),
        (429, "soon", None),
        (429, "-5", None),
        (429, "1e9", None),
        (429, "²", None),
        (429, "Sun, 99 Nov 2026 99:31:00 GMT", None),
    ],
)
def test_retry_after_is_honoured_within_a_day(status: int, text: str, seconds: int | None) -> None:
    rest = read_rest(status, text, NOW)
    assert rest == (None if seconds is None else timedelta(seconds=seconds))


def test_rest_is_kept_even_where_the_schedule_is_shorter() -> None:
    assert retry_delay(1, timedelta(hours=1)) == timedelta(hours=1)
    assert retry_delay(9, timedelta(seconds=1)) >= timedelta(hours=24)
