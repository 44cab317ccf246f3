"""What a producer counts of its spool, in both forms."""

import errno
import os
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from spool_samples import NewMetadata

from app.core.clock import Clock
from app.core.errors import Unavailable
from app.core.ids import Ids
from app.core.metrics import Metrics
from app.storage.blobs.folder import FolderBlobs
from app.storage.spool.disk import Disk
from app.storage.spool.forms import BlobSpool, FolderSpool, Spool
from app.storage.spool.metrics import SpoolMetrics


class FailingDisk(Disk):
    """The real disk, whose syncs and figures fail when told to."""

    failing = ""

    def fdatasync(self, descriptor: int) -> None:
        self._fail_if_told("fdatasync")
        super().fdatasync(descriptor)

    def statvfs(self, folder: Path) -> os.statvfs_result:
        self._fail_if_told("statvfs")
        return super().statvfs(folder)

    def _fail_if_told(self, call: str) -> None:
        if call == self.failing:
            raise OSError(errno.EIO, "Input/output error")


def read(metrics: Metrics) -> dict[str, float]:
    """Without labels, and so without the single buckets."""
    families = text_string_to_metric_families(metrics.expose().decode())
    return {
        sample.name: sample.value
        for family in families
        for sample in family.samples
        if not sample.labels
    }


@pytest.fixture(params=["folder", "blobs"])
def spool(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock, ids: Ids) -> Spool:
    if request.param == "folder":
        return FolderSpool(tmp_path / "spool", clock, ids)
    return BlobSpool(FolderBlobs(tmp_path / "blobs"), "spool", clock, ids)


async def test_puts_and_batches_are_counted(spool: Spool, new_metadata: NewMetadata) -> None:
    metrics = Metrics()
    writer = await spool.open_writer("smtp", SpoolMetrics(metrics))
    await writer.put(new_metadata(), b"one")
    await writer.put(new_metadata(), b"two")
    await writer.close()
    samples = read(metrics)
    assert samples["pillarbox_spool_store_seconds_count"] == 2
    assert samples["pillarbox_spool_store_seconds_sum"] > 0
    assert samples["pillarbox_spool_batch_size_sum"] == 2
    assert samples["pillarbox_spool_puts_waiting"] == 0
    assert samples["pillarbox_spool_sync_errors_total"] == 0


async def test_failed_sync_is_counted_and_nothing_counts_as_stored(
    tmp_path: Path, clock: Clock, ids: Ids, new_metadata: NewMetadata
) -> None:
    metrics, disk = Metrics(), FailingDisk()
    spool = FolderSpool(tmp_path / "spool", clock, ids, disk=disk)
    writer = await spool.open_writer("smtp", SpoolMetrics(metrics))
    disk.failing = "fdatasync"
    with pytest.raises(Unavailable):
        await writer.put(new_metadata(), b"one")
    samples = read(metrics)
    assert samples["pillarbox_spool_sync_errors_total"] == 1
    assert samples["pillarbox_spool_store_seconds_count"] == 0
    assert samples["pillarbox_spool_batch_size_count"] == 0
    await writer.close()


async def test_disk_that_does_not_answer_hides_its_figures_only(
    tmp_path: Path, clock: Clock, ids: Ids
) -> None:
    metrics, disk = Metrics(), FailingDisk()
    spool = FolderSpool(tmp_path / "spool", clock, ids, disk=disk)
    writer = await spool.open_writer("smtp", SpoolMetrics(metrics))
    assert read(metrics)["pillarbox_spool_disk_free_bytes"] > 0
    disk.failing = "statvfs"
    samples = read(metrics)
    assert "pillarbox_spool_disk_free_bytes" not in samples
    assert samples["pillarbox_spool_puts_waiting"] == 0
    await writer.close()
