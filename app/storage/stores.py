"""Which stores the settings name. Light to import: the SMTP sidecar opens its spool with it."""

from app.core.clock import Clock
from app.core.ids import Ids
from app.settings import Settings
from app.storage.blobs.port import BlobStore
from app.storage.spool.folder_writer import FolderLimits
from app.storage.spool.forms import BlobSpool, FolderSpool, Spool


def open_blobs(settings: Settings) -> BlobStore:
    """The object store: a bucket where one is named, else a folder."""
    # boto3 takes 0.4 s to import, which an installation without a bucket need not pay.
    if settings.s3_bucket_name:
        from app.storage.blobs.s3 import S3Blobs

        return S3Blobs(
            settings.s3_bucket_name,
            region=settings.aws_region,
            endpoint_url=settings.s3_endpoint_url,
            access_key_id=settings.aws_access_key_id,
            secret_access_key=settings.aws_secret_access_key,
        )
    from app.storage.blobs.folder import FolderBlobs

    return FolderBlobs(settings.blob_folder)


def open_spool(settings: Settings, clock: Clock, ids: Ids) -> Spool:
    """The spool: in the object store for `s3:`, else a folder."""
    if settings.spool_s3_prefix is not None:
        return BlobSpool(open_blobs(settings), settings.spool_s3_prefix, clock, ids)
    limits = FolderLimits(
        min_free_bytes=settings.spool_min_free_bytes,
        min_free_inodes=settings.spool_min_free_inodes,
    )
    return FolderSpool(settings.spool_folder, clock, ids, limits)
