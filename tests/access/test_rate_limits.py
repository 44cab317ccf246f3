"""Limits hold across processes, and without Redis in each for itself."""

import pytest
from limits import RateLimitItemPerHour

from app.access.rate_limits import RateLimits
from app.core.errors import TooManyRequests

TWICE = RateLimitItemPerHour(2)
NOBODY = "redis://127.0.0.1:1/0"


async def test_processes_count_together(redis_url: str) -> None:
    for limits in (RateLimits(redis_url), RateLimits(redis_url)):
        await limits.count(TWICE, "try", "somebody")
    for limits in (RateLimits(redis_url), RateLimits(redis_url)):
        with pytest.raises(TooManyRequests) as refused:
            await limits.count(TWICE, "try", "somebody")
        assert 0 < refused.value.retry_after_seconds <= 3601
    await limits.count(TWICE, "try", "somebody else")
    await limits.count(TWICE, "something else", "somebody")


async def test_process_counts_for_itself_while_redis_is_away() -> None:
    limits = RateLimits(NOBODY)
    for _ in range(2):
        await limits.count(TWICE, "try", "somebody")
    with pytest.raises(TooManyRequests):
        await limits.count(TWICE, "try", "somebody")


@pytest.mark.parametrize(
    "url", ["redis://redis.example", "rediss://:secret@redis.example/1", "redis://[::1]/0"]
)
def test_address_of_redis_may_leave_its_port_out(url: str) -> None:
    RateLimits(url)
