"""The format of segments: what can be written comes back, what was damaged is told."""

import json
import struct
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spool_samples import START, BytesSource, Items, SegmentSample, make_segment

from app.core.errors import Corrupt, Unavailable
from app.storage.spool.port import Envelope, ItemMetadata
from app.storage.spool.scan import (
    MAX_DAMAGE_SIZE_BYTES,
    READ_AHEAD_SIZE_BYTES,
    Damage,
    Ending,
    Record,
    Segment,
)
from app.storage.spool.segment import (
    HEADER_SIZE_BYTES,
    Footer,
    Kind,
    decode_footer,
    decode_metadata,
    encode_metadata,
)

MARKER = b"the marker of it"

# What a client sends that is no UTF-8 becomes lone surrogates (PEP 383).
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.binary(max_size=30).map(
    lambda raw: raw.decode("utf-8", "surrogateescape")
)
metadata = st.builds(
    ItemMetadata,
    item_id=st.uuids(),
    trace_id=st.uuids(),
    received_at=st.datetimes(timezones=st.just(UTC)),
    envelope=st.builds(Envelope, texts, st.lists(texts, max_size=4).map(tuple)),
    source=texts,
    source_id=texts,
    client_address=texts,
    client_name=texts,
    prefix_size_bytes=st.integers(0, 2**40),
)
bodies = st.binary(max_size=300) | st.builds(lambda n: bytes(n), st.integers(0, 600_000))
segments = st.lists(st.tuples(metadata, bodies), max_size=5)


def scan(data: bytes, ending: Ending, offset: int = 0) -> list[Record | Damage]:
    return list(Segment(BytesSource(data), ending).scan(offset))


def items_of(found: Sequence[Record | Damage]) -> list[tuple[int, ItemMetadata, bytes]]:
    return [
        (each.offset, decode_metadata(each.metadata), each.body)
        for each in found
        if isinstance(each, Record) and each.kind == Kind.ITEM
    ]


def damage_of(found: Sequence[Record | Damage]) -> list[tuple[int, int]]:
    return [(each.offset, each.end_offset) for each in found if isinstance(each, Damage)]


def flip(data: bytes, at: int, bits: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= bits
    return bytes(changed)


def small_segment(count: int = 4, *, sealed: bool = True) -> SegmentSample:
    new = Items()
    return make_segment([(new(), b"body %d" % n * 20) for n in range(count)], sealed=sealed)


def test_a_segment_is_laid_out_as_documented() -> None:
    """Read with `struct` alone, as docs/spool.md describes it."""
    item = Items()()
    data = make_segment([(item, b"raw bytes")], marker=MARKER, number=7).data
    magic, version, marker, number, created_us = struct.unpack_from(">8sH6x16sQQ12x", data)
    assert (magic, version, marker, number) == (b"PBXSPOOL", 1, MARKER, 7)
    assert datetime.fromtimestamp(created_us / 1e6, UTC) == START
    assert struct.unpack_from(">I", data, 60) == (crc32(data[:60]),)

    marker, kind, metadata_size, body_size = struct.unpack_from(">16sB3xIQ", data, 64)
    head_crc, data_crc = struct.unpack_from(">II", data, 64 + 32)
    start, end = 64 + 40, 64 + 40 + metadata_size + body_size
    assert (marker, kind, head_crc) == (MARKER, 1, crc32(data[64:96]))
    assert data_crc == crc32(data[start:end])
    assert data[end - body_size : end] == b"raw bytes"
    decoded = json.loads(data[start : start + metadata_size])
    assert UUID(decoded["item_id"]) == item.item_id
    assert decoded["envelope"]["rcpt_to"] == ["one@example.com", "two@example.com"]

    marker, kind, metadata_size, body_size = struct.unpack_from(">16sB3xIQ", data, end)
    assert (marker, kind, body_size) == (MARKER, 3, 8)
    footer = json.loads(data[end + 40 : end + 40 + metadata_size])
    assert footer == {"items": 1, "bodies": [], "sealed_at": "2026-03-01T12:00:00Z"}
    assert struct.unpack(">Q", data[-8:]) == (end,)


@given(metadata)
def test_metadata_comes_back_unchanged(item: ItemMetadata) -> None:
    assert decode_metadata(encode_metadata(item)) == item


@pytest.mark.parametrize("data", [b"", b"{}", b"[", b"\xff", b'{"item_id": 1}', b"null"])
def test_decode_metadata_raises_corrupt_when_the_bytes_are_something_else(data: bytes) -> None:
    with pytest.raises(Corrupt):
        decode_metadata(data)


@given(segments)
@settings(max_examples=50, deadline=None)
def test_all_items_come_back_when_a_segment_is_whole(
    items: list[tuple[ItemMetadata, bytes]],
) -> None:
    sample = make_segment(items)
    found = scan(sample.data, Ending.SEALED)
    assert items_of(found) == [
        (offset, item, raw) for offset, (item, raw) in zip(sample.offsets, items, strict=False)
    ]
    assert damage_of(found) == []
    footer = found[-1]
    assert isinstance(footer, Record)
    assert decode_footer(footer.metadata) == Footer(len(items), (), START)
    assert Segment(BytesSource(sample.data), Ending.SEALED).footer_offset == sample.offsets[-1]


@given(segments, st.data())
@settings(max_examples=60, deadline=None)
def test_exactly_the_items_before_the_cut_are_read_when_an_open_segment_is_cut(
    items: list[tuple[ItemMetadata, bytes]], data: st.DataObject
) -> None:
    sample = make_segment(items, sealed=False)
    cut = data.draw(st.integers(0, len(sample.data)))
    whole = [offset for offset, end in zip(sample.offsets, sample.ends, strict=False) if end <= cut]
    for ending in (Ending.OPEN, Ending.ABANDONED):
        found = scan(sample.data[:cut], ending)
        assert [offset for offset, _, _ in items_of(found)] == whole
        assert damage_of(found) == []


def test_every_cut_of_a_small_open_segment_leaves_the_items_before_it() -> None:
    sample = small_segment(3, sealed=False)
    for cut in range(len(sample.data) + 1):
        found = scan(sample.data[:cut], Ending.OPEN)
        assert len(found) == sum(end <= cut for end in sample.ends)


def check_flip(sample: SegmentSample, at: int, bits: int) -> None:
    found = scan(flip(sample.data, at, bits), Ending.SEALED)
    assert [offset for offset, _, _ in items_of(found)] == [
        offset
        for offset, end in zip(sample.offsets[:-1], sample.ends, strict=False)
        if not offset <= at < end
    ]
    hit = [
        (offset, end)
        for offset, end in zip((0, *sample.offsets), (HEADER_SIZE_BYTES, *sample.ends), strict=True)
        if offset <= at < end
    ]
    assert damage_of(found) == hit


@given(segments, st.integers(1, 255), st.data())
@settings(max_examples=100, deadline=None)
def test_only_the_record_that_was_hit_is_lost_and_told_when_a_byte_of_a_sealed_segment_flips(
    items: list[tuple[ItemMetadata, bytes]], bits: int, data: st.DataObject
) -> None:
    sample = make_segment(items)
    check_flip(sample, data.draw(st.integers(0, len(sample.data) - 1)), bits)


def test_only_the_record_that_was_hit_is_lost_wherever_a_small_segment_is_hit() -> None:
    sample = small_segment(2)
    for at in range(len(sample.data)):
        check_flip(sample, at, 0x01)
        check_flip(sample, at, 0x80)


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_what_a_body_contains_never_becomes_a_record(data: st.DataObject) -> None:
    """Bodies full of records: of other segments, with guessed markers, cut at the worst places."""
    forged = data.draw(st.binary(min_size=16, max_size=16))
    foreign = make_segment([(Items()(), b"forged")], marker=forged, sealed=data.draw(st.booleans()))
    content = data.draw(st.sampled_from([foreign.data, foreign.data[64:]]))
    new = Items()
    marker = b"\x00secret marker\xff\xfe"
    sample = make_segment([(new(), b"a"), (new(), content * 2), (new(), b"c")], marker=marker)
    ours = set(sample.offsets)
    at = data.draw(st.integers(0, len(sample.data) - 1))
    cut = data.draw(st.integers(0, len(sample.data)))
    for content, ending in [
        (flip(sample.data, at, 0xFF), Ending.SEALED),
        (sample.data[:cut], Ending.OPEN),
        (sample.data[:cut], Ending.ABANDONED),
        (sample.data[:cut], Ending.SEALED),
    ]:
        for found in scan(content, ending):
            if isinstance(found, Record):
                assert found.offset in ours


def test_reading_may_begin_at_any_record() -> None:
    sample = small_segment(4)
    for index, offset in enumerate(sample.offsets):
        assert len(scan(sample.data, Ending.SEALED, offset)) == 5 - index


def test_nothing_is_left_when_a_reader_was_further_than_the_footer_of_a_sealed_segment() -> None:
    sample = small_segment(2)
    for offset in range(sample.offsets[-1] + 1, len(sample.data) + 100):
        assert scan(sample.data, Ending.SEALED, offset) == []


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_missing_footer_is_told_when_a_sealed_segment_ends_between_records(kept: int) -> None:
    sample = small_segment(2)
    content = sample.data[: sample.offsets[kept]]
    found = scan(content, Ending.SEALED)
    assert len(items_of(found)) == kept
    assert damage_of(found) == [(len(content), len(content))]


def test_an_empty_file_is_told_when_it_should_be_a_sealed_segment() -> None:
    assert damage_of(scan(b"", Ending.SEALED)) != []
    assert scan(b"", Ending.OPEN) == scan(b"", Ending.ABANDONED) == []


def test_bytes_after_the_footer_are_told() -> None:
    sample = small_segment(2)
    found = scan(sample.data + b"more", Ending.SEALED)
    assert len(items_of(found)) == 2
    assert damage_of(found) == [(len(sample.data), len(sample.data) + 4)]


def test_all_records_are_found_when_header_and_first_record_are_damaged() -> None:
    sample = small_segment(4)
    content = bytearray(sample.data)
    content[0 : HEADER_SIZE_BYTES + 20] = bytes(HEADER_SIZE_BYTES + 20)
    found = scan(bytes(content), Ending.SEALED)
    assert [offset for offset, _, _ in items_of(found)] == list(sample.offsets[1:-1])


@pytest.mark.parametrize("at_edge", range(-2, 20))
def test_the_next_record_is_found_wherever_what_is_read_at_once_ends(at_edge: int) -> None:
    sample = small_segment(2)
    middle = sample.offsets[1]
    hole = bytes(READ_AHEAD_SIZE_BYTES - at_edge + 2)
    found = scan(sample.data[:middle] + hole + sample.data[middle:], Ending.SEALED)
    assert len(items_of(found)) == 2
    assert damage_of(found)[0] == (middle, middle + len(hole))


def test_long_damage_comes_in_pieces() -> None:
    sample = small_segment(2)
    middle = sample.offsets[1]
    hole = bytes(2 * MAX_DAMAGE_SIZE_BYTES + 5)
    found = scan(sample.data[:middle] + hole + sample.data[middle:], Ending.SEALED)
    pieces = damage_of(found)[:3]
    assert [end - start for start, end in pieces] == [MAX_DAMAGE_SIZE_BYTES] * 2 + [5]
    assert pieces[0][0] == middle
    assert len(items_of(found)) == 2


def test_a_segment_of_a_later_version_is_left_for_a_later_reader() -> None:
    content = bytearray(small_segment(1).data)
    content[8:10] = b"\0\2"
    content[60:64] = struct.pack(">I", crc32(content[:60]))
    with pytest.raises(Unavailable, match="version 2"):
        scan(bytes(content), Ending.SEALED)


def test_a_record_of_an_unknown_kind_is_told() -> None:
    sample = small_segment(1)
    content = bytearray(sample.data)
    start = sample.offsets[0]
    content[start + 16] = 9
    content[start + 32 : start + 36] = struct.pack(">I", crc32(content[start : start + 32]))
    found = scan(bytes(content), Ending.SEALED)
    assert damage_of(found) == [(start, sample.offsets[1])]


def test_the_program_in_the_documentation_reads_a_segment(tmp_path: Path) -> None:
    document = Path(__file__).parents[3] / "docs" / "spool.md"
    program = document.read_text().partition("```python\n")[2].partition("```")[0]
    sample = small_segment(3)
    damaged = flip(sample.data, sample.offsets[1] + 200, 1)
    (tmp_path / "segment").write_bytes(damaged)
    result = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "segment"],
        capture_output=True,
        text=True,
        check=True,
    )
    records = [line.split() for line in result.stdout.splitlines() if line[0] != " "]
    assert [(int(line[0]), line[1], line[3]) for line in records] == [
        (sample.offsets[0], "item", "good"),
        (sample.offsets[1], "item", "BAD"),
        (sample.offsets[2], "item", "good"),
        (sample.offsets[3], "footer", "good"),
    ]


def test_a_record_of_another_segment_is_damage_even_where_ours_should_stand() -> None:
    """As when a disk gives back old blocks of a file that was removed."""
    ours, new = small_segment(3), Items()
    foreign = make_segment([(new(), b"body %d" % n * 20) for n in range(3)], marker=b"x" * 16)
    start, end = ours.offsets[1:3]
    mixed = ours.data[:start] + foreign.data[start:end] + ours.data[end:]
    found = scan(mixed, Ending.SEALED)
    assert damage_of(found) == [(start, end)]
    torn = ours.data[:start] + foreign.data[start:]
    assert len(scan(torn, Ending.OPEN)) == len(scan(torn, Ending.ABANDONED)) == 1
