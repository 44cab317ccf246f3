"""What works in the background of the installation, and what waits for it."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from litestar import Router, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from app.access.grants import Grant
from app.access.parked_review import ParkedReview
from app.access.sessions import Session
from app.inbound.pipeline.work import WorkReport
from app.storage.schedule_notes import LastRun
from app.web.admin.page import AdminPages, Done, describe_done, redirect_done
from app.web.given import Given
from app.web.guards import allow_operator

_HERE = "/admin/jobs"
_DONE = {
    "asked": "The reader tries again. What still fails stays here, with its newest reason.",
    "dropped": "It is gone from here. The event itself stays in the log.",
}
# What each job does, and how often it runs.
_BY_THE_CLOCK = {
    "remove_expired_mailboxes": ("Remove mailboxes whose time is over", "every 10 seconds"),
    "remove_released_objects": ("Delete files that nothing needs any more", "twice a minute"),
    "drop_expired_quarantine": ("Drop held back mail of temporary inboxes", "twice a minute"),
    "trim_spool": ("Make room in the spool", "every minute"),
    "empty_trash": ("Empty the trash after 30 days", "every minute"),
    "make_room_for_events": ("Make room in the event log ahead of need", "every minute"),
    "drop_old_events": ("Drop events that are older than they are kept", "every hour"),
    "remove_old_refused_mail": ("Forget refused mail after 30 days", "every minute"),
    "remove_ended_sessions": ("Forget sessions that ended", "every hour"),
    "forget_undo_steps": ("Forget what can no longer be undone", "every hour"),
}
_CONSUMERS = {
    "indexer": "Makes mail searchable",
    "authentication": "Checks senders",
    "webhooks": "Queues what webhooks are told",
    "kafka": "Publishes to Kafka",
}


@get("/")
async def show_jobs(
    session: Given[Session],
    admin_pages: Given[AdminPages],
    work_report: Given[WorkReport],
    done: Done = "",
) -> Template:
    work = await work_report.collect()
    jobs = [
        (*_BY_THE_CLOCK.get(name, (name.replace("_", " ").capitalize(), "")), run)
        for name, run in _order(work.runs or {})
    ]
    notice = describe_done(done, _DONE)
    return admin_pages.show(
        session, "jobs/list", work=work, jobs=jobs, does=_CONSUMERS, notice=notice
    )


@post("/parked/{parked_id:uuid}/retry")
async def retry_parked_event(
    parked_id: FromPath[UUID], grant: Given[Grant], parked_review: Given[ParkedReview]
) -> Redirect:
    await parked_review.retry(grant, parked_id)
    return redirect_done(_HERE, "asked")


@post("/parked/{consumer:str}/retry-all")
async def retry_parked_events(
    consumer: FromPath[str], grant: Given[Grant], parked_review: Given[ParkedReview]
) -> Redirect:
    await parked_review.retry_all(grant, consumer)
    return redirect_done(_HERE, "asked")


@post("/parked/{parked_id:uuid}/drop")
async def drop_parked_event(
    parked_id: FromPath[UUID], grant: Given[Grant], parked_review: Given[ParkedReview]
) -> Redirect:
    await parked_review.drop(grant, parked_id)
    return redirect_done(_HERE, "dropped")


def _order(runs: Mapping[str, LastRun]) -> Sequence[tuple[str, LastRun | None]]:
    """Those we know in the order above, whether or not they ran yet, then the others."""
    others = sorted(runs.keys() - _BY_THE_CLOCK.keys())
    return [(name, runs.get(name)) for name in (*_BY_THE_CLOCK, *others)]


admin_jobs_router = Router(
    _HERE,
    route_handlers=[show_jobs, retry_parked_event, retry_parked_events, drop_parked_event],
    opt=allow_operator(),
)
