"""Notes of what was refused, for whoever asks later why their mail did not arrive.

Taking a note never waits, fails or grows without bound: what is too much is counted, not kept.
"""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import msgspec

from app.core.clock import Clock
from app.core.ids import Ids
from app.core.log import get_logger
from app.core.metrics import Metrics
from app.directory.snapshot import SnapshotFile
from app.inbound.smtpd.replies import Reply
from app.mime.addresses import normalise_address
from app.storage.refused_mail import RefusedMail, RefusedMailFolder
from app.storage.spool.port import Handover

KEPT_IN_WINDOW = 20
"""Notes for each hosted domain and cause."""
WINDOW_SECONDS = 300.0
_MAX_PENDING = 1000
_MAX_WINDOWS = 10_000
_WRITE_EVERY_SECONDS = 1.0

_log = get_logger("smtp")


@dataclass(frozen=True, slots=True)
class Refused:
    """What a connection knows of the mail that it refuses."""

    client_address: str
    client_name: str
    mail_from: str
    recipients: Iterable[str]
    handover: Handover
    trace_id: UUID | None = None


@dataclass(slots=True)
class _Window:
    """The last note that is kept waits for the end, to tell how many came after it."""

    ends_at: float
    kept: int = 0
    last: RefusedMail | None = None
    sampled_out: int = 0


class RefusalNotes:
    """Kept for recipients of hosted domains only, as nobody else could be shown them."""

    def __init__(
        self,
        folder: RefusedMailFolder,
        directory: SnapshotFile,
        metrics: Metrics,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._folder = folder
        self._directory = directory
        self._clock = clock
        self._ids = ids
        self._pending: list[RefusedMail] = []
        self._windows: dict[tuple[str, str], _Window] = {}
        self._kept = metrics.counter(
            "pillarbox_smtp_refusal_notes_total", "Notes of refused mail that were kept."
        )
        self._dropped = metrics.counter(
            "pillarbox_smtp_refusal_notes_dropped_total",
            "Notes of refused mail that were dropped: too many at once, or a full or failing disk.",
        )

    def take(self, refused: Refused, reply: Reply, sent: str) -> None:
        """Notes that `reply` was given for each of these recipients, as the line `sent`."""
        snapshot = self._directory.current()
        if snapshot is None:
            return
        for recipient in refused.recipients:
            domain = normalise_address(recipient).rpartition("@")[2]
            if domain in snapshot.domains:
                self._take_one(refused, recipient, domain, reply, sent)

    async def run(self) -> None:
        """Until cancelled: what was noted is written, by and by."""
        while True:
            await asyncio.sleep(_WRITE_EVERY_SECONDS)
            await self.write()

    async def write(self, *, ending: bool = False) -> None:
        """Writes what is pending; when `ending`, also what waits for the end of its window."""
        self._close_windows(float("inf") if ending else time.monotonic())
        notes, self._pending = self._pending, []
        if not notes:
            return
        written = False
        try:
            with suppress(UnicodeEncodeError):
                written = await asyncio.to_thread(self._folder.write, notes)
        except OSError as error:
            _log.warning("smtp.refusal_notes", outcome="dropped", reason=str(error))
        (self._kept if written else self._dropped).count(amount=len(notes))

    def _take_one(
        self, refused: Refused, recipient: str, domain: str, reply: Reply, sent: str
    ) -> None:
        window = self._window(domain, reply.cause)
        if window is None or len(self._pending) >= _MAX_PENDING:
            self._dropped.count()
            return
        if window.kept >= KEPT_IN_WINDOW:
            window.sampled_out += 1
            return
        window.kept += 1
        note_id = self._ids.new()
        note = RefusedMail(
            id=note_id,
            trace_id=refused.trace_id or note_id,
            refused_at=self._clock.now(),
            client_address=refused.client_address,
            client_name=refused.client_name,
            mail_from=refused.mail_from,
            recipient=recipient,
            code=reply.code,
            enhanced_code=reply.enhanced_code,
            cause=reply.cause,
            reply=sent,
            handover=refused.handover,
        )
        if window.kept == KEPT_IN_WINDOW:
            window.last = note
        else:
            self._pending.append(note)

    def _window(self, domain: str, cause: str) -> _Window | None:
        """None when there are too many to remember one more."""
        window = self._windows.get((domain, cause))
        if window is None and len(self._windows) < _MAX_WINDOWS:
            window = self._windows[domain, cause] = _Window(time.monotonic() + WINDOW_SECONDS)
        return window

    def _close_windows(self, now: float) -> None:
        for key, window in list(self._windows.items()):
            if window.ends_at > now:
                break  # They end in the order in which they began.
            del self._windows[key]
            if window.last is not None:
                self._pending.append(
                    msgspec.structs.replace(window.last, sampled_out=window.sampled_out)
                )
