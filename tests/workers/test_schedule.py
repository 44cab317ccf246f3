"""What runs by the clock."""

from dataclasses import replace
from datetime import timedelta

from app.assembly import Services
from app.settings import Settings
from workers.schedule import (
    drop_old_events,
    forget_old_answers,
    make_room_for_events,
    remove_ended_sessions,
    remove_expired_mailboxes,
    remove_old_audit_entries,
    remove_old_refused_mail,
    remove_old_webhook_deliveries,
    remove_released_objects,
    time_to_keep,
    trim_spool,
)


def test_segments_are_not_kept_when_the_disk_is_short(settings: Settings) -> None:
    settings = replace(settings, spool_min_free_bytes=1000, spool_keep_seconds=60)
    assert time_to_keep(settings, 1999) == timedelta()
    assert time_to_keep(settings, 2000) == timedelta(seconds=60)
    assert time_to_keep(settings, None) == timedelta(seconds=60)


async def test_every_job_runs_with_nothing_to_do(services: Services) -> None:
    jobs = (
        forget_old_answers,
        remove_expired_mailboxes,
        remove_released_objects,
        remove_old_refused_mail,
        remove_ended_sessions,
        remove_old_audit_entries,
        remove_old_webhook_deliveries,
        trim_spool,
        make_room_for_events,
        drop_old_events,
    )
    for job in jobs:
        assert await job({"services": services}) == 0
