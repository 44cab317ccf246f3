"""`pillarbox smtp`: the sidecar that takes mail in, with neither Postgres nor Redis."""

import asyncio
import signal
from collections.abc import Callable

import uvloop

from app.core.clock import Clock, SystemClock
from app.core.ids import Ids
from app.core.log import configure_logging
from app.core.metrics import Metrics
from app.core.metrics_server import MetricsServer
from app.directory.snapshot import SnapshotFile, snapshot_path
from app.inbound.smtpd.connections import ConnectionLimits, Connections
from app.inbound.smtpd.handler import MailHandler
from app.inbound.smtpd.limits import SmtpLimits
from app.inbound.smtpd.lmtp import LmtpDialogue
from app.inbound.smtpd.metrics import SmtpMetrics
from app.inbound.smtpd.origins import Origins
from app.inbound.smtpd.rates import RateLimits, Rates
from app.inbound.smtpd.refusals import RefusalNotes
from app.inbound.smtpd.server import SmtpServer
from app.inbound.smtpd.tls import Certificate
from app.settings import Settings
from app.storage.refused_mail import RefusedMailFolder
from app.storage.spool.disk import Disk
from app.storage.spool.free_space import FreeSpace
from app.storage.spool.metrics import SpoolMetrics
from app.storage.stores import open_spool


def run_smtp(settings: Settings) -> None:
    """Until SIGINT or SIGTERM. Raises `BadSetting` or `Unavailable` when it cannot start."""
    configure_logging(human=not settings.production)
    uvloop.run(_run(settings))


async def _run(settings: Settings) -> None:
    clock, ids = SystemClock(), Ids()
    told_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    metrics = Metrics()
    writer = await open_spool(settings, clock, ids).open_writer("smtp", SpoolMetrics(metrics))
    rates = Rates(RateLimits.read(settings))
    directory = SnapshotFile(snapshot_path(settings), clock)
    refusals = RefusalNotes(RefusedMailFolder.of(settings), directory, metrics, clock, ids)
    handler = MailHandler(
        writer=writer,
        directory=directory,
        require_space=_watch_space(settings),
        limits=SmtpLimits.read(settings),
        metrics=SmtpMetrics(metrics),
        rates=rates,
        refusals=refusals,
        hostname=settings.smtp_hostname,
        clock=clock,
        ids=ids,
    )
    connections = Connections(
        ConnectionLimits.read(settings), rates, Origins(settings.smtp_trusted)
    )
    server = SmtpServer(
        handler, connections, _certificate(settings, clock), settings.smtp_proxy_from
    )
    metrics_server = MetricsServer(metrics)
    noting = asyncio.create_task(refusals.run())
    try:
        if settings.metrics_listen is not None:
            await metrics_server.start(settings.metrics_listen.host, settings.metrics_listen.port)
        await server.start(settings.smtp_listen)
        if settings.smtp_lmtp_listen is not None:
            await server.start(settings.smtp_lmtp_listen, LmtpDialogue)
        await told_to_stop.wait()
        await server.stop(settings.smtp_stop_seconds)
    finally:
        noting.cancel()
        metrics_server.close()
        await writer.close()
        await refusals.write(ending=True)


def _certificate(settings: Settings, clock: Clock) -> Certificate | None:
    if settings.smtp_tls_cert is None or settings.smtp_tls_key is None:
        return None
    return Certificate(settings.smtp_tls_cert, settings.smtp_tls_key, clock)


def _watch_space(settings: Settings) -> Callable[[], None]:
    """For a folder the check of the spool itself, early; an object store has no such thing."""
    if settings.spool_s3_prefix is not None:
        return lambda: None
    return FreeSpace(
        settings.spool_folder,
        settings.spool_min_free_bytes,
        settings.spool_min_free_inodes,
        Disk(),
    ).require
