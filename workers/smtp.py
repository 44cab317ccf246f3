"""`pillarbox smtp`: the sidecar that takes mail in, with neither Postgres nor Redis."""

import asyncio
import resource
import signal
from collections.abc import Callable

import uvloop

from app.core.clock import Clock, SystemClock
from app.core.collector import collect_seldom
from app.core.ids import Ids
from app.core.log import configure_logging, get_logger
from app.core.metrics import Metrics
from app.core.metrics_server import MetricsServer
from app.directory.snapshot import SnapshotFile, snapshot_path
from app.inbound.smtpd.connections import MAX_LINGERING, ConnectionLimits, Connections
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
from app.storage.spool.backlog_bound import BacklogBound
from app.storage.spool.disk import Disk
from app.storage.spool.free_space import FreeSpace
from app.storage.spool.metrics import SpoolMetrics
from app.storage.stores import open_spool

_log = get_logger("smtp")

_SNAPSHOT_LOOKED_AT_EVERY_SECONDS = 0.01
"""Little beside the 100 ms in which it follows a change; one look at the file for many RCPTs."""


def run_smtp(settings: Settings) -> None:
    """Until SIGINT or SIGTERM. Raises `BadSetting` or `Unavailable` when it cannot start."""
    configure_logging(human=not settings.production)
    uvloop.run(_run(settings))


async def _run(settings: Settings) -> None:
    clock, ids, metrics = SystemClock(), Ids(), Metrics()
    told_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    # A connection, the file that its message is streamed to, and what lingers beside them.
    _allow_descriptors(2 * settings.smtp_max_connections + MAX_LINGERING + 100)
    spool_metrics = SpoolMetrics(metrics)
    writer = await open_spool(settings, clock, ids).open_writer("smtp", spool_metrics)
    rates = Rates(RateLimits.read(settings))
    directory = SnapshotFile(
        snapshot_path(settings), clock, look_every_seconds=_SNAPSHOT_LOOKED_AT_EVERY_SECONDS
    )
    refusals = RefusalNotes(RefusedMailFolder.of(settings), directory, metrics, clock, ids)
    backlog = BacklogBound(settings.spool_folder, settings.spool_max_backlog_bytes)
    if settings.spool_s3_prefix is None:
        spool_metrics.watch_unread(lambda: backlog.size_bytes)
    handler = MailHandler(
        writer=writer,
        directory=directory,
        require_space=_space_check(settings, backlog),
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
    background = [asyncio.create_task(each) for each in (refusals.run(), backlog.watch())]
    try:
        if settings.metrics_listen is not None:
            await metrics_server.start(settings.metrics_listen.host, settings.metrics_listen.port)
        await server.start(settings.smtp_listen)
        if settings.smtp_lmtp_listen is not None:
            await server.start(settings.smtp_lmtp_listen, LmtpDialogue)
        collect_seldom()
        await told_to_stop.wait()
        await server.stop(settings.smtp_stop_seconds)
    finally:
        for task in background:
            task.cancel()
        metrics_server.close()
        await writer.close()
        await refusals.write(ending=True)


def _certificate(settings: Settings, clock: Clock) -> Certificate | None:
    if settings.smtp_tls_cert is None or settings.smtp_tls_key is None:
        return None
    return Certificate(settings.smtp_tls_cert, settings.smtp_tls_key, clock)


def _space_check(settings: Settings, backlog: BacklogBound) -> Callable[[], None]:
    """For a folder, whether there is room and what lies there is being read; an object store has
    no such bounds."""
    if settings.spool_s3_prefix is not None:
        return lambda: None
    free_space = FreeSpace(
        settings.spool_folder,
        settings.spool_min_free_bytes,
        settings.spool_min_free_inodes,
        Disk(),
    )

    def require_space() -> None:
        free_space.require()
        backlog.require()

    return require_space


def _allow_descriptors(wanted: int) -> None:
    """Many systems start processes with 1,024 and let them have more when they ask."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        if allowed < wanted:
            _log.warning("smtp.descriptors", wanted=wanted, allowed=allowed)
