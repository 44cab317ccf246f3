"""`pillarbox worker`: all background work in one process."""

import asyncio
from collections.abc import Mapping

import uvloop

from app.assembly import Services, assemble
from app.core.log import configure_logging, get_logger
from app.eventlog.consumer import ConsumerRunner
from app.settings import Settings
from workers.auth_mail import run_auth_mail
from workers.authentication import run_authentication
from workers.child import Child
from workers.ingest import run_ingest
from workers.lifetime import work_until_told
from workers.metrics import serving_metrics
from workers.owner_mail import run_owner_mail
from workers.schedule import run_schedule
from workers.webhooks import run_webhooks

_log = get_logger("worker")


def run_worker(settings: Settings, environment: Mapping[str, str]) -> None:
    """Until SIGINT or SIGTERM. What was under way is rolled back and taken up at the next start.

    `environment` is what its children are given.
    """
    configure_logging(human=not settings.production)
    uvloop.run(_run(settings, environment))


async def _run(settings: Settings, environment: Mapping[str, str]) -> None:
    await work_until_told(assemble(settings), lambda services: _work(services, environment))
    _log.info("worker.stop", outcome="stopped")


async def _work(services: Services, environment: Mapping[str, str]) -> None:
    leader = str(services.ids.new())
    indexer = Child("indexer", ("indexer", "--leader", leader), environment)
    kafka = services.kafka()
    async with serving_metrics(services, kafka), asyncio.TaskGroup() as tasks:
        tasks.create_task(run_ingest(services), name="ingest")
        tasks.create_task(indexer.keep_running(), name="indexer")
        tasks.create_task(run_auth_mail(services), name="auth mail")
        tasks.create_task(run_owner_mail(services), name="owner mail")
        tasks.create_task(run_authentication(services), name="authentication")
        if kafka is not None:
            runner = ConsumerRunner(kafka, services.log, services.ids.new())
            tasks.create_task(runner.run(), name="kafka")
        tasks.create_task(run_webhooks(services), name="webhooks")
        tasks.create_task(run_schedule(services), name="schedule")
