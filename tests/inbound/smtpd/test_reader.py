"""Command lines and message data, whatever way the bytes are cut up on their journey."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.inbound.smtpd.reader import (
    BadLine,
    ClientReader,
    ConnectionClosed,
    DataDecoder,
    LineTooLong,
)

# Made of what matters: endings, dots, a letter, NUL and 8-bit bytes.
LINES = st.lists(st.text(alphabet=".\0aé", max_size=5).map(str.encode), max_size=12)
ANY_BYTES = st.text(alphabet="\r\n.a", max_size=40).map(str.encode)
CUTS = st.lists(st.integers(min_value=1, max_value=9), min_size=1)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, position, turn = [], 0, 0
    while position < len(data):
        size = sizes[turn % len(sizes)]
        pieces.append(data[position : position + size])
        position, turn = position + size, turn + 1
    return pieces


def stuff(message: bytes) -> bytes:
    """As a sending client does it, line by line."""
    lines = message.split(b"\r\n")
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)


def decode(data: bytes, sizes: list[int]) -> tuple[bytes, DataDecoder]:
    """What a decoder makes of `data`, and that decoder; like the protocol it stops when done."""
    decoder, message, pieces = DataDecoder(), b"", cut(data, sizes)
    while pieces and not decoder.finished:
        message += decoder.feed(pieces.pop(0))
    decoder.remainder += b"".join(pieces)
    return message, decoder


@settings(deadline=None)
@given(LINES, CUTS, ANY_BYTES)
def test_data_arrives_identical_however_it_is_cut(lines, sizes, behind):
    message = b"".join(line + b"\r\n" for line in lines)

    decoded, decoder = decode(stuff(message) + b".\r\n" + behind, sizes)

    assert decoded == message
    assert decoder.finished
    assert decoder.remainder == behind
    assert not decoder.has_bare_line_ending


@settings(deadline=None)
@given(ANY_BYTES, CUTS)
def test_decoding_does_not_depend_on_the_cuts(data, sizes):
    decoded, decoder = decode(data, sizes)
    whole, at_once = decode(data, [len(data) + 1])

    assert decoder.finished == at_once.finished
    assert not decoder.finished or (decoded, decoder.remainder) == (whole, at_once.remainder)
    assert not decoder.finished or decoder.has_bare_line_ending == at_once.has_bare_line_ending


@settings(deadline=None)
@given(ANY_BYTES, CUTS)
def test_data_ends_at_the_first_crlf_dot_crlf_and_nowhere_else(data, sizes):
    end = (b"\r\n" + data).find(b"\r\n.\r\n")

    _, decoder = decode(data, sizes)

    assert decoder.finished == (end >= 0)
    if decoder.finished:
        assert decoder.remainder == data[end + 3 :]
        received = data[: max(end, 0)].replace(b"\r\n", b"")
        assert decoder.has_bare_line_ending == (b"\r" in received or b"\n" in received)


@pytest.mark.parametrize(
    "ending", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n\n.\r\n"]
)
def test_a_lookalike_of_the_end_is_a_bare_line_ending(ending):
    decoder = DataDecoder()
    decoder.feed(b"Subject: x\r\n\r\nhello" + ending + b"MAIL FROM:<a@b.test>\r\n")
    assert not decoder.finished

    decoder.feed(b".\r\n")

    assert decoder.finished
    assert decoder.has_bare_line_ending


async def read_lines(pieces: list[bytes], count: int, limit: int = 20) -> list[object]:
    reader = ClientReader(limit)
    for piece in pieces:
        reader.feed(piece)
    reader.feed_end()
    read: list[object] = []
    for _ in range(count):
        try:
            read.append(await reader.read_line())
        except (BadLine, LineTooLong, ConnectionClosed) as error:
            read.append(type(error))
    return read


async def test_pipelined_lines_are_read_one_by_one():
    assert await read_lines([b"NOOP\r\nRS", b"ET\r\n\r\nQUI"], 4) == [
        b"NOOP",
        b"RSET",
        b"",
        ConnectionClosed,
    ]


@pytest.mark.parametrize("line", [b"NOOP\n", b"NO\rOP\r\n", b"NOOP\r\r\n", b"\n"])
async def test_a_line_that_does_not_end_in_crlf_alone_is_bad_and_the_next_is_read(line):
    assert await read_lines([line + b"RSET\r\n"], 2) == [BadLine, b"RSET"]


@pytest.mark.parametrize("extra", [1, 1000])
async def test_a_line_over_the_limit_is_skipped_and_the_next_is_read(extra):
    line = b"a" * (18 + extra) + b"\r\n"
    assert await read_lines([line, b"NOOP\r\n"], 2) == [LineTooLong, b"NOOP"]
    assert await read_lines([b"a" * 18 + b"\r\n"], 1) == [b"a" * 18]


async def test_a_long_line_without_an_end_is_not_kept():
    reader = ClientReader(20)
    reading = asyncio.create_task(reader.read_line())
    for _ in range(50):
        reader.feed(b"a" * 1000)
        await asyncio.sleep(0)
    assert len(reader._buffer) <= 1020
    reader.feed_end()
    with pytest.raises(ConnectionClosed):
        await reading


async def test_what_is_unread_comes_first_again():
    reader = ClientReader(20)
    reader.feed(b"one\r\ntwo\r\n")
    assert await reader.read_some() == b"one\r\ntwo\r\n"
    reader.unread(b"two\r\n")
    reader.feed(b"three\r\n")
    assert [await reader.read_line(), await reader.read_line()] == [b"two", b"three"]
