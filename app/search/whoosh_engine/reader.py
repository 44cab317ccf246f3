"""Answers queries from one mailbox's index, as it was at one commit."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from pathlib import Path

from whoosh.filedb.filestore import FileStorage
from whoosh.index import TOC

from app.search.port import Hit
from app.search.query import Address, And, Node, Not, Or, Phrase, Prefix, Word
from app.search.terms import term_of, terms_of_address
from app.search.whoosh_engine.codec import FILE_ENDING, Key, Segment, read_key

_INDEX_NAME = "MAIN"
_RETRIES = 10


def latest_commit(folder: Path) -> int:
    """The number of the last commit; -1 where there is no index."""
    commit: int = TOC._latest_generation(FileStorage(str(folder)), _INDEX_NAME)
    return commit


class MailboxReader:
    """Not for several threads at once. Any error other than those of the interpreter says that
    the index is broken."""

    def __init__(self, folder: Path, reuse: "MailboxReader | None" = None) -> None:
        """Opens the last commit; segments that `reuse` holds are taken over, its others closed."""
        self.folder = folder
        self._segments: dict[str, Segment] = {}
        known = reuse._segments if reuse is not None else {}
        for attempt in range(1, _RETRIES + 1):
            toc = TOC.read(FileStorage(str(folder)), _INDEX_NAME)
            try:
                self._open(toc, known)
                break
            except FileNotFoundError:  # a writer replaced it meanwhile
                if attempt == _RETRIES:
                    raise
        self.commit: int = toc.generation
        for name, segment in known.items():
            if name not in self._segments:
                segment.close()

    @property
    def weight(self) -> int:
        """Open files."""
        return len(self._segments)

    def close(self) -> None:
        for segment in self._segments.values():
            segment.close()

    def find(self, node: Node, span: "Span", limit: int | None) -> list[Key]:
        """What matches within `span`, newest first; the newest `limit` of it at least."""
        keys: list[Key] = []
        for segment in self._segments.values():
            documents = span.cut(segment, _evaluate(node, segment) - segment.deleted)
            keys += map(segment.key, _newest(segment, documents, limit))
        keys.sort(reverse=True)
        return keys

    def all_keys(self) -> Iterator[Key]:
        for segment in self._segments.values():
            for document in set(range(segment.count)) - segment.deleted:
                yield segment.key(document)

    def _open(self, toc: TOC, known: Mapping[str, Segment]) -> None:
        for entry in toc.segments:
            name = entry.segment_id()
            deleted = frozenset(entry.deleted_docs())
            if name in known:
                segment = self._segments[name] = known[name]
                segment.deleted = deleted
            elif name not in self._segments:
                path = self.folder / (name + FILE_ENDING)
                self._segments[name] = Segment(str(path), deleted)
        names = {entry.segment_id() for entry in toc.segments}
        for name in [name for name in self._segments if name not in names]:
            self._segments.pop(name).close()


@dataclass(frozen=True, slots=True)
class Span:
    """Received at `since` or later, and sorting before `before`."""

    since: int | None = None
    before: Key | None = None

    def cut(self, segment: Segment, documents: Collection[int]) -> Collection[int]:
        times = segment.times
        if (since := self.since) is not None:
            documents = [each for each in documents if times[each] >= since]
        if (before := self.before) is not None:
            last = before[0]
            documents = [
                each
                for each in documents
                if times[each] < last or (times[each] == last and segment.key(each) < before)
            ]
        return documents


def hit_of(key: Key) -> Hit:
    received_at, message_id = read_key(key)
    return Hit(message_id, received_at)


def _newest(segment: Segment, documents: Collection[int], limit: int | None) -> Collection[int]:
    """The newest `limit` of them, and those as old as the last of these."""
    if limit is None or len(documents) <= limit:
        return documents
    times = segment.times
    ordered = sorted(documents, key=times.__getitem__, reverse=True)
    last = times[ordered[limit - 1]]
    while limit < len(ordered) and times[ordered[limit]] == last:
        limit += 1
    return ordered[:limit]


def _evaluate(node: Node, segment: Segment) -> set[int]:
    match node:
        case Word(text, field):
            return set(segment.documents(term_of(text, field)))
        case Prefix(text, field):
            return segment.documents_with_prefix(term_of(text, field))
        case Phrase(words, field):
            return _with_phrase([term_of(word, field) for word in words], segment)
        case Address(text, field):
            terms = terms_of_address(text, field)
            return set().union(*(segment.documents(term) for term in terms))
        case Or(parts):
            return set().union(*(_evaluate(part, segment) for part in parts))
        case And(parts):
            return _all_of(parts, segment)
        case Not(part):
            return set(range(segment.count)) - _evaluate(part, segment)
        case _:
            raise TypeError(f"{node} is not text")


def _all_of(parts: Sequence[Node], segment: Segment) -> set[int]:
    """What is cheap first, and nothing more once none is left; what is not to be there last."""
    found: set[int] | None = None
    for part in sorted(parts, key=_cost):
        if found is None:
            found = _evaluate(part, segment)
        elif isinstance(part, Not):
            found -= _evaluate(part.part, segment)
        else:
            found &= _evaluate(part, segment)
        if not found:
            break
    return set() if found is None else found


def _cost(node: Node) -> int:
    return {Word: 0, Address: 0, Phrase: 2, Not: 4}.get(type(node), 3)


def _with_phrase(terms: Sequence[str], segment: Segment) -> set[int]:
    """Documents in which the terms stand directly behind each other."""
    sets: list[set[int]] = []
    for term in dict.fromkeys(terms):
        sets.append(set(segment.documents(term)))
        if not sets[-1]:
            return set()
    candidates = reduce(set.intersection, sorted(sets, key=len))
    if not candidates:
        return set()
    positions = {term: _positions(segment, term, candidates) for term in dict.fromkeys(terms)}
    return {document for document in candidates if _stand_in_row(terms, positions, document)}


def _stand_in_row(
    terms: Sequence[str], positions: Mapping[str, Callable[[int], Sequence[int]]], document: int
) -> bool:
    starts = set(positions[terms[0]](document))
    for offset, term in enumerate(terms[1:], 1):
        starts.intersection_update([each - offset for each in positions[term](document)])
        if not starts:
            return False
    return True


def _positions(segment: Segment, term: str, wanted: set[int]) -> Callable[[int], Sequence[int]]:
    """Where the term stands in each of these documents."""
    postings = segment.postings(term)
    ends = accumulate(postings.counts)
    extents = {
        document: (end - count, end)
        for document, count, end in zip(postings.documents, postings.counts, ends, strict=True)
        if document in wanted
    }

    def of(document: int) -> Sequence[int]:
        start, end = extents[document]
        return postings.positions[start:end]

    return of
