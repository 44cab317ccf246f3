"""What a producer counts of its spool."""

from collections.abc import Callable
from os import statvfs_result

from app.core.metrics import Metrics
from app.storage.spool.free_space import Room

_STORE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_BATCH_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class SpoolMetrics:
    """Made once for a process that writes; each part counts its own."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.store_seconds = metrics.histogram(
            "pillarbox_spool_store_seconds",
            "From the moment an item is put to the moment it is durable.",
            _STORE_SECONDS,
        )
        self.batch_size = metrics.histogram(
            "pillarbox_spool_batch_size",
            "Items that were made durable by one sync or one upload.",
            _BATCH_ITEMS,
        )
        self.sync_errors = metrics.counter(
            "pillarbox_spool_sync_errors_total",
            "Segments given up because a write, a sync or an upload failed.",
        )

    def watch_puts(self, waiting: Callable[[], int]) -> None:
        """`waiting` tells how many puts have not returned yet."""
        self._metrics.gauge(
            "pillarbox_spool_puts_waiting", "Items on their way to the medium.", waiting
        )

    def watch_unread(self, unread_bytes: Callable[[], int]) -> None:
        """`unread_bytes` tells what no reader has taken in, as far as the writing side knows."""
        self._metrics.gauge(
            "pillarbox_spool_unread_bytes",
            "Bytes of a folder spool that wait to be taken in, as the sidecar sees it.",
            unread_bytes,
        )

    def watch_disk(self, measure: Callable[[], statvfs_result]) -> None:
        """`measure` asks the file system of a folder spool, or raises `OSError`."""
        self._metrics.gauge(
            "pillarbox_spool_disk_free_bytes",
            "Free on the disk of the spool.",
            lambda: Room.of(measure()).free_bytes,
        )
        self._metrics.gauge(
            "pillarbox_spool_disk_free_percent",
            "Free on the disk of the spool, of what mail may use at all.",
            lambda: Room.of(measure()).free_percent,
        )
        self._metrics.gauge(
            "pillarbox_spool_inodes_free",
            "Files that can still be made on the disk of the spool.",
            lambda: Room.of(measure()).free_inodes,
        )
