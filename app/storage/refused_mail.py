"""Mail that was refused, on its way from the sidecar, which has no database, to the worker.

The sidecar writes whole files of JSON lines into a folder beside the spool, the worker reads and
removes them. They are notes and no mail: they are not synced, and they are dropped rather than
ever let to fill the disk.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec

from app.settings import Settings
from app.storage.spool.disk import Disk
from app.storage.spool.port import Handover

MAX_FILES = 1000
"""That may wait to be read. A worker that is away for longer misses the rest."""
_SUFFIX = ".jsonl"


class RefusedMail(msgspec.Struct, frozen=True, kw_only=True):
    """One recipient for whom mail was refused.

    `id` names the note, `trace_id` the mail, where MAIL was accepted. `mail_from` is
    empty for the null reverse-path. `reply` is the line that was sent. `sampled_out` counts
    further ones with the same domain and cause that were not kept.
    """

    id: UUID
    trace_id: UUID
    refused_at: datetime
    client_address: str
    client_name: str
    mail_from: str
    recipient: str
    code: int
    enhanced_code: str
    cause: str
    reply: str
    sampled_out: int = 0
    handover: Handover | None = None


@dataclass(frozen=True, slots=True)
class RefusedMailFolder:
    """The files between the two. Every method raises `OSError` when the disk refuses it."""

    path: Path

    @classmethod
    def of(cls, settings: Settings) -> "RefusedMailFolder":
        """Beside the spool, if that is a folder, as the directory snapshot is."""
        local = settings.spool_s3_prefix is None
        return cls((settings.spool_folder if local else settings.pillarbox_data) / "refused")

    def write(self, notes: Sequence[RefusedMail]) -> bool:
        """One more file, or none when too many wait already: then it returns False."""
        disk = Disk()
        disk.make_folder(self.path)
        if len(self._names()) >= MAX_FILES:
            return False
        file = self.path / f"{notes[0].id}{_SUFFIX}"
        disk.replace(file, msgspec.json.Encoder().encode_lines(notes), durable=False)
        return True

    def waiting(self) -> Sequence[Path]:
        """The files to read, oldest first."""
        return [self.path / name for name in sorted(self._names())]

    def read(self, file: Path) -> Sequence[RefusedMail]:
        """What a file holds. Lines that are damaged are left out."""
        decode = msgspec.json.Decoder(RefusedMail).decode
        notes = []
        for line in file.read_bytes().splitlines():
            try:
                notes.append(decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
        return notes

    def _names(self) -> Sequence[str]:
        try:
            return [name for name in os.listdir(self.path) if name.endswith(_SUFFIX)]  # noqa: PTH208
        except FileNotFoundError:
            return ()
