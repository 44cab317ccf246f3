"""What the SMTP sidecar knows of the directory: one file, so that it needs no database.

The writer replaces the file within 100 ms of a change and touches it every few seconds, so that
its age says whether it can still be trusted to *lack* an address. What it holds, it answers for.
"""

import os
import time
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum, auto
from pathlib import Path
from typing import Literal

import msgspec

from app.core.clock import Clock
from app.core.errors import Corrupt, Unavailable
from app.directory.route_patterns import matches
from app.mime.addresses import normalise_address, split_address, strip_subaddress
from app.settings import Settings
from app.storage.spool.disk import Disk

RecipientPolicy = Literal["reject_unknown", "accept_and_discard", "reply_after_data"]
"""What mail for an unknown address of a domain meets; docs/smtp.md tells what each gives away."""
ReceivingStatus = Literal["verified", "soft_rejected", "suspended"]

FRESH_SECONDS = 10.0
"""A snapshot this old or older may lack a mailbox that exists."""


class DomainEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A hosted domain: what is answered for its unknown addresses, whether it takes mail, and how
    large a message may be for any of its addresses (0: as large as for all others)."""

    recipient_policy: RecipientPolicy = "reject_unknown"
    status: ReceivingStatus = "verified"
    catch_all: bool = False
    max_message_bytes: int = 0


class MailboxEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A mailbox that exists until `expires_at` (with a zone), or for good."""

    expires_at: datetime | None = None


class PatternEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A route of many local parts, as long as one of the mailboxes that it leads to exists."""

    pattern: str
    expires_at: datetime | None = None


class DirectorySnapshot(msgspec.Struct, frozen=True):
    """Every domain, mailbox and route we host, as of event log position `position`.

    Keys are in the forms of `app.mime.addresses`: `normalise_domain`, `normalise_address`.
    `aliases` are routes of one address, `patterns` those of many, by domain.
    """

    position: int
    domains: Mapping[str, DomainEntry]
    mailboxes: Mapping[str, MailboxEntry]
    aliases: Mapping[str, MailboxEntry] = {}
    patterns: Mapping[str, Sequence[PatternEntry]] = {}


class RecipientVerdict(Enum):
    """What becomes of one RCPT TO."""

    ACCEPT = auto()
    REFUSE_AFTER_DATA = auto()
    UNKNOWN = auto()
    SOFT_REJECTED = auto()
    SUSPENDED = auto()
    NOT_HOSTED = auto()
    TRY_LATER = auto()


def resolve_recipient(snapshot: DirectorySnapshot, address: str, now: datetime) -> RecipientVerdict:
    """What the snapshot says of `address`, taking it as complete.

    It is where there is a mailbox or a route of the address, with or without its `+tag`
    (RFC 5233), a pattern for it, or a catch-all of its domain. An expired mailbox is the same as
    none at all, so that nobody can tell the two apart. `postmaster` is no exception: it goes to
    whichever of these exists.

    Where everything is accepted no mailbox is even looked for, and ingestion discards what has
    none: so neither the reply, nor the time it takes, nor a full disk tells who exists.
    """
    normalised = normalise_address(address)
    domain = snapshot.domains.get(normalised.rpartition("@")[2])
    if domain is None:
        return RecipientVerdict.NOT_HOSTED
    if domain.status == "suspended":
        return RecipientVerdict.SUSPENDED
    if domain.status == "soft_rejected":
        return RecipientVerdict.SOFT_REJECTED
    if domain.catch_all or domain.recipient_policy == "accept_and_discard":
        return RecipientVerdict.ACCEPT
    # All are always looked at: a mailbox that exists is not to be answered sooner.
    forms = (normalised, strip_subaddress(normalised))
    local_parts = [split_address(form)[0] for form in forms]
    live = [
        _is_live(places.get(form), now)
        for places in (snapshot.mailboxes, snapshot.aliases)
        for form in forms
    ]
    live += [
        _is_live(entry, now) and any(matches(entry.pattern, each) for each in local_parts)
        for entry in snapshot.patterns.get(split_address(normalised)[1], ())
    ]
    if any(live):
        return RecipientVerdict.ACCEPT
    if domain.recipient_policy == "reply_after_data":
        return RecipientVerdict.REFUSE_AFTER_DATA
    return RecipientVerdict.UNKNOWN


def _is_live(entry: MailboxEntry | PatternEntry | None, now: datetime) -> bool:
    return entry is not None and (entry.expires_at is None or entry.expires_at > now)


def snapshot_path(settings: Settings) -> Path:
    """Where the snapshot lies: beside the spool it guards, if that is a folder."""
    folder = settings.spool_folder if settings.spool_s3_prefix is None else settings.pillarbox_data
    return folder / "directory.snapshot"


class SnapshotFile:
    """Reads the snapshot at `path` again whenever it was replaced. Cheap enough for each RCPT, and
    more so when `look_every_seconds` allows what it says to be that old."""

    def __init__(self, path: Path, clock: Clock, *, look_every_seconds: float = 0.0) -> None:
        self._path = path
        self._clock = clock
        self._look_every_seconds = look_every_seconds
        self._looked_at = float("-inf")
        self._identity: tuple[int, int, int] | None = None
        self._mtime_seconds = 0.0
        self._checksum = b""
        self._snapshot: DirectorySnapshot | None = None

    def resolve(self, address: str) -> RecipientVerdict:
        """The verdict that may be told to a client.

        A refusal stands only on a snapshot under `FRESH_SECONDS` old; otherwise, and without a
        usable snapshot, it is `TRY_LATER`.
        """
        snapshot = self.current()
        if snapshot is None:
            return RecipientVerdict.TRY_LATER
        now = self._clock.now()
        verdict = resolve_recipient(snapshot, address, now)
        fresh = abs(now.timestamp() - self._mtime_seconds) < FRESH_SECONDS
        if verdict is RecipientVerdict.ACCEPT or fresh:
            return verdict
        return RecipientVerdict.TRY_LATER

    def max_message_bytes(self, domain: str) -> int:
        """Of mail for this domain, normalised; 0 for no limit of its own."""
        snapshot = self.current()
        entry = snapshot.domains.get(domain) if snapshot else None
        return entry.max_message_bytes if entry else 0

    def current(self) -> DirectorySnapshot | None:
        """The newest snapshot; None when there is none or its file is damaged."""
        now = time.monotonic()
        if now - self._looked_at < self._look_every_seconds:
            return self._snapshot
        self._looked_at = now
        try:
            status = self._path.stat()
            identity = (status.st_ino, status.st_mtime_ns, status.st_size)
            if identity != self._identity:
                self._load(self._path.read_bytes())
                self._identity = identity
                self._mtime_seconds = status.st_mtime
        except (OSError, Corrupt):
            self._identity = self._snapshot = None
            self._checksum = b""
        return self._snapshot

    def _load(self, stored: bytes) -> None:
        """Decodes `stored`, unless it was only touched and is what we hold already."""
        checksum, content = _open_envelope(stored)
        if self._snapshot is None or checksum != self._checksum:
            self._snapshot = _decode(content)
            self._checksum = checksum


def save_snapshot(path: Path, snapshot: DirectorySnapshot) -> None:
    """Replaces the file at `path`, durably and at once: a reader sees the old one or the new one.

    Raises `Unavailable` when it cannot be written; the old one then stands.
    """
    content = msgspec.msgpack.encode(snapshot)
    disk = Disk()
    try:
        disk.make_folder(path.parent)
        disk.replace(path, _HEADER + _checksum(content) + b"\n" + content, durable=True)
    except OSError as error:
        raise Unavailable(f"The directory snapshot cannot be written: {error}") from error


def touch_snapshot(path: Path) -> None:
    """Says that the snapshot at `path` is still true. Raises `Unavailable` when there is none."""
    try:
        os.utime(path)
    except OSError as error:
        raise Unavailable(f"The directory snapshot cannot be touched: {error}") from error


_HEADER = b"pillarbox-directory 1 "
_CHECKSUM_DIGITS = 8


def _checksum(content: bytes) -> bytes:
    return b"%0*x" % (_CHECKSUM_DIGITS, zlib.crc32(content))


def _open_envelope(stored: bytes) -> tuple[bytes, bytes]:
    """The checksum and the content it stands for. Raises `Corrupt`."""
    start = len(_HEADER) + _CHECKSUM_DIGITS + 1
    checksum, content = stored[len(_HEADER) : start - 1], stored[start:]
    if not stored.startswith(_HEADER) or checksum != _checksum(content):
        raise Corrupt("The directory snapshot is damaged.")
    return checksum, content


def _decode(content: bytes) -> DirectorySnapshot:
    try:
        return msgspec.msgpack.decode(content, type=DirectorySnapshot)
    except msgspec.MsgspecError as error:
        raise Corrupt("The directory snapshot has another form.") from error
