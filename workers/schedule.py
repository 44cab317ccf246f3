"""What runs by the clock, as arq jobs: a job that was missed or runs twice does no harm."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from functools import wraps
from typing import Any, cast

from arq import cron
from arq.connections import RedisSettings
from arq.typing import WorkerCoroutine
from arq.worker import Worker
from redis.exceptions import RedisError

from app.assembly import Services
from app.core.backoff import Backoff
from app.core.errors import Unavailable
from app.core.log import get_logger
from app.eventlog import retention
from app.eventlog.read import last_position
from app.settings import Settings
from app.storage.schedule_notes import LastRun

_log = get_logger("schedule")
_PAUSE = Backoff(first_seconds=0.25, ceiling_seconds=5)
_JOB_SECONDS = 60


async def remove_expired_mailboxes(context: dict[Any, Any]) -> int:
    services: Services = context["services"]
    return await services.removal.remove_expired_mailboxes()


async def remove_released_objects(context: dict[Any, Any]) -> int:
    services: Services = context["services"]
    return await services.removal.remove_released_objects()


async def empty_trash(context: dict[Any, Any]) -> int:
    services: Services = context["services"]
    return await services.removal.empty_trash()


async def forget_undo_steps(context: dict[Any, Any]) -> int:
    services: Services = context["services"]
    return await services.actions.forget_old_steps()


async def remove_ended_sessions(context: dict[Any, Any]) -> int:
    services: Services = context["services"]
    await services.single_sign_on.remove_old()
    return await services.sessions.remove_ended() + await services.sign_in.remove_old_links()


async def forget_old_answers(context: dict[Any, Any]) -> int:
    services: Services = context["services"]
    return await services.writes.forget_old()


async def remove_old_refused_mail(context: dict[Any, Any]) -> int:
    services: Services = context["services"]
    return await services.removal.remove_old_refused_mail()


async def drop_expired_quarantine(context: dict[Any, Any]) -> int:
    services: Services = context["services"]
    return await services.quarantine.drop_expired()


async def remove_old_audit_entries(context: dict[Any, Any]) -> int:
    services: Services = context["services"]
    return await services.audit.remove_old(timedelta(days=services.settings.audit_keep_days))


async def make_room_for_events(context: dict[Any, Any]) -> int:
    services: Services = context["services"]
    return await services.log.room.ensure(await last_position(services.database))


async def drop_old_events(context: dict[Any, Any]) -> int:
    services: Services = context["services"]
    if not (days := services.settings.events_keep_days):
        return 0
    before = services.clock.now() - timedelta(days=days)
    return await retention.drop_old_events(services.database, before)


async def check_domains(context: dict[Any, Any]) -> int:
    """Those that are due, for as long as a job may take; the others' turn comes with the next."""
    services: Services = context["services"]
    checked = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_JOB_SECONDS / 2):
            while some := await services.domain_checks.check_due():
                checked += some
    return checked


async def forget_unsent_notices(context: dict[Any, Any]) -> int:
    services: Services = context["services"]
    return await services.owner_notices.give_up()


async def remove_old_webhook_deliveries(context: dict[Any, Any]) -> int:
    services: Services = context["services"]
    return await services.webhook_deliveries.remove_old()


async def trim_spool(context: dict[Any, Any]) -> int:
    services: Services = context["services"]
    drain = services.drain(await services.spool.open_reader())
    keep = time_to_keep(services.settings, _free_bytes(services.settings))
    return await drain.trim(keep=keep)


def time_to_keep(settings: Settings, free_bytes: int | None) -> timedelta:
    """How long segments that were read stay: not at all where new mail would soon be deferred."""
    if free_bytes is not None and free_bytes < 2 * settings.spool_min_free_bytes:
        return timedelta()
    return timedelta(seconds=settings.spool_keep_seconds)


def _free_bytes(settings: Settings) -> int | None:
    """On the disk of a folder spool; an object store has no such bound."""
    if settings.spool_s3_prefix is not None:
        return None
    return shutil.disk_usage(settings.spool_folder).free


_EVERY_TEN_SECONDS = set(range(0, 60, 10))


async def run_schedule(services: Services) -> None:
    """Until cancelled. While Redis is away nothing is scheduled, and nothing is lost by it."""
    failures = 0
    while True:
        try:
            await _make_worker(services).async_run()
        except (RedisError, OSError) as error:
            failures += 1
            _log.warning("schedule.redis", outcome="waiting", reason=str(error))
        await asyncio.sleep(_PAUSE.delay_seconds(failures))


def _job(function: Callable[[dict[Any, Any]], Awaitable[int]]) -> WorkerCoroutine:
    """The job, and a note of how it went. Scheduled jobs get no arguments, which arq's type does
    not know."""

    @wraps(function)
    async def run(context: dict[Any, Any]) -> int:
        services: Services = context["services"]
        at, began, changed = services.clock.now(), time.monotonic(), None
        try:
            changed = await function(context)
            return changed
        finally:
            with suppress(Unavailable):
                last = LastRun(at, time.monotonic() - began, changed)
                await services.schedule_notes.note(function.__name__, last)

    return cast(WorkerCoroutine, run)


def _make_worker(services: Services) -> Worker:
    url = services.settings.redis_url
    if url is None:
        raise ValueError("assembled services always have REDIS_URL")
    return Worker(
        cron_jobs=[
            cron(_job(remove_expired_mailboxes), second=_EVERY_TEN_SECONDS),
            cron(_job(remove_released_objects), second={5, 35}),
            cron(_job(empty_trash), second={25}),
            cron(_job(forget_undo_steps), minute={7}, second={45}),
            cron(_job(remove_ended_sessions), minute={7}, second={20}),
            cron(_job(forget_old_answers), minute={37}, second={20}),
            cron(_job(remove_old_refused_mail), second=50),
            cron(_job(drop_expired_quarantine), second={10, 40}),
            cron(_job(remove_old_audit_entries), minute={17}, second={40}),
            cron(_job(remove_old_webhook_deliveries), second={55}),
            cron(_job(trim_spool), second={15}),
            cron(_job(make_room_for_events), second={35}),
            cron(_job(drop_old_events), minute={27}, second={40}),
            cron(_job(check_domains), second={0, 30}),
            cron(_job(forget_unsent_notices), minute={7}, second={55}),
        ],
        redis_settings=RedisSettings.from_dsn(url.reveal()),
        ctx={"services": services},
        handle_signals=False,
        keep_result=0,
        job_timeout=_JOB_SECONDS,
        max_tries=1,
        poll_delay=0.5,
    )
