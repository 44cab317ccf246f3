"""Hostile mail: what comes out of it, always bounded, always text that can be stored."""

import dataclasses
from collections.abc import Callable, Iterator

import pytest
from hostile_mail import HEADER, HOSTILE_MAIL, MIXED, fields, nest

from app.mime.addresses import MAX_MAILBOXES
from app.mime.classify import classify
from app.mime.headers import MAX_FIELDS, MAX_VALUE_CHARS
from app.mime.identity import fingerprint
from app.mime.multipart import MAX_PARTS
from app.mime.parse import MAX_MESSAGE_BYTES, Unparseable, parse_message
from app.mime.parsed import MAX_HTML_CHARS, MAX_SNIPPET_CHARS, MAX_TEXT_CHARS, ParsedMessage
from app.mime.references import MAX_REFERENCES


def strings(value: object) -> Iterator[str]:
    """Every str in a value made of dataclasses and tuples."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from strings(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from strings(getattr(value, field.name))


def assert_sound(message: ParsedMessage) -> None:
    for text in strings(message):
        assert "\x00" not in text
        text.encode()
    assert len(message.text) <= MAX_TEXT_CHARS
    assert len(message.html) <= MAX_HTML_CHARS
    assert len(message.snippet) <= MAX_SNIPPET_CHARS
    assert not set(message.snippet) & set("\r\n\t")
    assert len(message.subject) <= MAX_VALUE_CHARS
    assert len(message.headers) <= MAX_FIELDS
    assert all(len(value) <= MAX_VALUE_CHARS for _, value in message.headers)
    for mailboxes in (message.from_, message.reply_to, message.to, message.cc):
        assert len(mailboxes) <= MAX_MAILBOXES
    assert len(message.references) <= MAX_REFERENCES
    assert len(message.attachments) <= MAX_PARTS + 1
    names = [attachment.storage_name.lower() for attachment in message.attachments]
    assert len(set(names)) == len(names)
    classify(message)
    fingerprint(message)


@pytest.mark.parametrize("build", HOSTILE_MAIL.values(), ids=HOSTILE_MAIL.keys())
def test_parse_message_gives_a_bounded_message_when_mail_is_hostile(
    build: Callable[[], bytes],
) -> None:
    assert_sound(parse_message(build()))


def parse(name: str) -> ParsedMessage:
    return parse_message(HOSTILE_MAIL[name]())


def test_parse_message_keeps_what_is_nested_too_deeply_as_an_attachment() -> None:
    message = parse("10000 nested parts")
    assert "nested-too-deeply" in message.defects
    assert b"the core" in message.attachments[0].content
    assert parse_message(nest(10)).text == "the core"


def test_parse_message_keeps_the_parts_beyond_the_limit_as_one_attachment() -> None:
    message = parse_message(MIXED + b"--b\r\n\r\nhi\r\n" * MAX_PARTS + b"--b\r\n\r\nlast\r\n")
    assert "too-many-parts" in message.defects
    assert message.attachments[-1].content.endswith(b"last\r\n")


def test_parse_message_keeps_a_body_that_is_too_long_as_an_attachment() -> None:
    message = parse("a text of 20 MB")
    assert len(message.text) == MAX_TEXT_CHARS
    assert message.attachments[0].content == b"hello world\r\n" * 1_600_000
    assert message.attachments[0].file_name == "message.txt"
    assert message.defects == ("body-too-long",)


def test_parse_message_reads_the_first_addresses_when_there_are_too_many() -> None:
    message = parse("50000 addresses")
    assert message.to[0].address == "u0@example.com"
    assert len(message.to) == MAX_MAILBOXES
    assert {"header-truncated", "too-many-addresses"} <= set(message.defects)


def test_parse_message_reads_a_large_attachment_whole() -> None:
    attachment = parse("an attachment of 50 MB").attachments[0]
    assert (attachment.file_name, attachment.size_bytes) == ("big.bin", 50 * 1024 * 1024)


def test_parse_message_reads_what_follows_a_huge_header() -> None:
    for name in ("a subject of 5 MB", "a million references", "400000 encoded words"):
        message = parse(name)
        assert message.text == "hello"
        assert message.defects == ("header-truncated",)


def test_parse_message_takes_the_body_from_the_first_line_that_is_no_field() -> None:
    message = parse("a header without an end")
    assert message.subject == "x"
    assert message.text == "This line is the body.\nAnd this.\n"
    assert message.defects == ("header-unterminated",)


def test_parse_message_steps_over_a_stray_line_among_fields() -> None:
    message = parse_message(b"From nobody Mon\r\nSubject: x\r\nstray\r\nTo: a@b\r\n\r\nhi")
    assert (message.subject, message.to[0].address, message.text) == ("x", "a@b", "hi")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a multipart without boundary", "hello"),
        ("a multipart without delimiters", "hello"),
        ("a multipart without an end", "hello"),
        ("a delimiter that only begins like one", "one\n--bb\ntwo"),
        ("NUL everywhere", "\ufffdhi\ufffd"),
        ("a header only", ""),
    ],
)
def test_parse_message_shows_the_text_when_the_structure_is_broken(name: str, text: str) -> None:
    assert parse(name).text == text


def test_parse_message_says_so_when_the_header_of_a_part_is_cut() -> None:
    assert parse("a million fields in a part").defects == ("part-header-truncated",)


def test_parse_message_never_unpacks_a_charset_that_is_none() -> None:
    assert "\x03" in parse("a charset that unpacks").text


@pytest.mark.parametrize(
    "date",
    [
        b"Mon, 01 Jan 0000 00:00:00 +0000",
        b"Mon, 01 Jan 0001 00:00:00 +2359",
        b"Fri, 31 Dec 1969 23:59:59 +0000",
        b"Mon, 01 Jan 3000 00:00:00 +0000",
        b"Mon, 01 Jan 99999 00:00:00 +0000",
        b"Mon, 31 Feb 2026 00:00:00 +0000",
        b"Mon, 01 Jan 2026 99:99:99 +0000",
        b"Mon, 01 Jan 2026 00:00:00 +9999",
        b"31 Dec 9999 23:59:59 -2359",
        b"yesterday",
        b"\xff",
        b"1" * 10_000,
    ],
)
def test_parse_message_has_no_date_when_it_is_unreadable_or_absurd(date: bytes) -> None:
    message = parse_message(fields(b"Date", date))
    assert message.date is None
    assert "date-unreadable" in message.defects


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"),
        (b"\r\n\r\n", "no header"),
        (b"hello, this is no mail", "no header"),
        (bytes(range(256)) * 10, "no header"),
        (HEADER + b"\r\n" + bytes(MAX_MESSAGE_BYTES), "larger"),
    ],
)
def test_parse_message_raises_unparseable_when_there_is_no_message(raw: bytes, reason: str) -> None:
    with pytest.raises(Unparseable, match=reason):
        parse_message(raw)
