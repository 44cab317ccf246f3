"""Opening the segments and bodies of one producer in a folder spool, for reading."""

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from app.core.errors import NotFound
from app.storage.spool.file_source import open_source
from app.storage.spool.layout import (
    SegmentFile,
    bodies_folder,
    list_producers,
    list_segments,
)
from app.storage.spool.scan import Ending, Segment
from app.storage.spool.segment import Reference
from app.storage.spool.survey import StoredSegment


@contextmanager
def open_segment(file: SegmentFile, *, is_newest: bool) -> Iterator[Segment | None]:
    """The segment, or None when it was removed meanwhile. Raises `OSError`.

    Only the newest of a producer can still grow: the writer ends or gives up one before it begins
    the next. So `is_newest` must have been found out before this call.
    """
    names = (file,) if file.sealed else (file, replace(file, sealed=True))
    with ExitStack() as stack:
        segment = None
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                source = stack.enter_context(open_source(name.path))
                segment = Segment(source, _ending(name, is_newest))
                break
        yield segment


def stored_segments(root: Path) -> Iterator[StoredSegment]:
    """Every segment, by producer and number. Raises `OSError`."""
    for producer in list_producers(root):
        files = list_segments(root / producer)
        for file in files:
            with open_segment(file, is_newest=file is files[-1]) as segment:
                if segment is not None:
                    load, is_there = partial(load_body, file.folder), partial(_is_there, file)
                    yield StoredSegment(producer, file.number, segment, load, is_there)


def _is_there(file: SegmentFile) -> bool:
    return any(replace(file, sealed=sealed).path.exists() for sealed in (False, True))


def load_body(folder: Path, reference: Reference) -> bytes:
    """The file that a reference names. Raises `NotFound` and `OSError`."""
    try:
        return (bodies_folder(folder) / reference.file).read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"There is no body file {reference.file}.") from error


def _ending(file: SegmentFile, is_newest: bool) -> Ending:
    if file.sealed:
        return Ending.SEALED
    return Ending.OPEN if is_newest else Ending.ABANDONED
