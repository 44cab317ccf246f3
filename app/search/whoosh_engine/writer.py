"""Writes one mailbox's index: documents into a new segment, small segments into larger ones."""

import math
import os
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any
from uuid import UUID

from whoosh.index import TOC, FileIndex
from whoosh.writing import SegmentWriter

from app.search.whoosh_engine.codec import (
    FILE_ENDING,
    Key,
    MailCodec,
    Postings,
    Segment,
    id_term,
)

MAX_MERGED_DOCUMENTS = 5_000
_SEGMENTS_OF_A_TIER = 8
_LOCK_TIMEOUT_SECONDS = 5.0


class MailboxWriter(SegmentWriter):  # type: ignore[misc]
    """One commit: what is added and removed counts once `commit` returned, and then lastingly.

    Raises `whoosh.index.LockError` when another process writes this index, and whatever error
    comes of files that are not as they were written.
    """

    def __init__(self, index: FileIndex) -> None:
        super().__init__(index, codec=MailCodec(), compound=False, timeout=_LOCK_TIMEOUT_SECONDS)
        self.mergetype = _merge_tiers
        self._folder = Path(index.storage.folder)
        self._terms: dict[str, Postings] = {}
        self._opened: dict[str, Segment] = {}

    def add(self, key: Key, terms: Mapping[str, Sequence[int]]) -> None:
        """A document that is not there yet."""
        self._append_key(key)
        document, known = self.docnum - 1, self._terms
        for term, positions in terms.items():
            postings = known.get(term)
            if postings is None:
                postings = known[term] = Postings()
            postings.add(document, positions)
        known[id_term(UUID(bytes=key[1]))] = one = Postings()
        one.add(document, ())

    def remove(self, message_ids: Iterable[UUID]) -> None:
        """Documents of earlier commits; those that are not there are passed over."""
        terms = [id_term(message_id) for message_id in message_ids]
        for segment in self.segments:
            opened = self._open(segment)
            for term in terms:
                for document in opened.documents(term):
                    segment.delete_document(document)

    def absorb(self, segment: Any) -> None:
        """Takes over what a segment holds and was not deleted."""
        opened = self._open(segment)
        numbers = self._merge_keys(opened, segment)
        for term, postings in opened.terms():
            into = self._terms.get(term)
            if segment.has_deletions():
                postings = _renumber(postings, numbers)
                if not postings.documents:
                    continue
            else:
                base = numbers[0]
                postings.documents = array("I", [base + each for each in postings.documents])
            if into is None:
                self._terms[term] = postings
            else:
                into.documents.extend(postings.documents)
                into.counts.extend(postings.counts)
                into.positions.extend(postings.positions)

    def _merge_keys(self, opened: Segment, segment: Any) -> list[int]:
        """The new numbers of its documents; -1 for those that were deleted."""
        numbers = []
        for document, key in enumerate(opened.keys()):
            if segment.is_deleted(document):
                numbers.append(-1)
            else:
                numbers.append(self.docnum)
                self._append_key(key)
        return numbers

    def _append_key(self, key: Key) -> None:
        self.perdocwriter.keys.append(key)
        self.docnum += 1
        self._added = True

    def _open(self, segment: Any) -> Segment:
        name = segment.segment_id()
        if name not in self._opened:
            self._opened[name] = Segment(str(self._folder / (name + FILE_ENDING)), frozenset())
        return self._opened[name]

    def _flush_segment(self) -> None:
        self.fieldwriter.write(self.perdocwriter.keys, self._terms)

    def _commit_toc(self, segments: Sequence[Any]) -> None:
        """The segment is on the disk before the list that names it."""
        if self._added:
            _sync(self._folder / (self.newsegment.segment_id() + FILE_ENDING))
        super()._commit_toc(segments)
        _sync(self._folder / TOC._filename(self.indexname, self.generation))
        _sync(self._folder)

    def _finish(self) -> None:
        for segment in self._opened.values():
            segment.close()
        self._opened.clear()
        super()._finish()


def _renumber(postings: Postings, numbers: Sequence[int]) -> Postings:
    kept = Postings()
    ends = accumulate(postings.counts)
    for document, count, end in zip(postings.documents, postings.counts, ends, strict=True):
        if numbers[document] >= 0:
            kept.add(numbers[document], postings.positions[end - count : end])
    return kept


def _merge_tiers(writer: MailboxWriter, segments: Sequence[Any]) -> list[Any]:
    """Merges where a tier is full, so that a document is rewritten once for each tier it rises
    through, and never into more than `MAX_MERGED_DOCUMENTS`. Whoosh's own policy rewrites
    everything now and then. What is left as it is."""
    kept = [segment for segment in segments if segment.doc_count()]
    chosen: list[Any] = []
    total = writer.doc_count()
    for segment in sorted(kept, key=lambda each: each.doc_count()):
        if segment.deleted_count() > segment.doc_count() and _fits(total, segment):
            chosen.append(segment)
            total += segment.doc_count()
    while full := _full_tier([each for each in kept if each not in chosen], total):
        taken = False
        for segment in full:
            if _fits(total, segment):
                chosen.append(segment)
                total += segment.doc_count()
                taken = True
        if not taken:
            break
    for segment in chosen:
        writer.absorb(segment)
    return [segment for segment in kept if segment not in chosen]


def _fits(total: int, segment: Any) -> bool:
    return bool(total + segment.doc_count() <= MAX_MERGED_DOCUMENTS)


def _full_tier(segments: Sequence[Any], new: int) -> list[Any]:
    """The smallest tier that is full, counting what is being written; its segments by size."""
    tiers: dict[int, list[Any]] = defaultdict(list)
    for segment in segments:
        if segment.doc_count() < MAX_MERGED_DOCUMENTS // 2:
            tiers[_tier(segment.doc_count())].append(segment)
    for tier in sorted(tiers):
        if len(tiers[tier]) + (new > 0 and _tier(new) >= tier) >= _SEGMENTS_OF_A_TIER:
            return sorted(tiers[tier], key=lambda each: each.doc_count())
    return []


def _tier(count: int) -> int:
    return int(math.log(count, _SEGMENTS_OF_A_TIER))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
