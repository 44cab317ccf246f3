"""winmail.dat, opened: by itself and as a part of a message."""

import base64
import struct

import pytest
import tnefparse
from hypothesis import given, settings
from hypothesis import strategies as st
from tnef_writer import (
    ATTACHMENT,
    EMBEDDED,
    MESSAGE,
    OBJECT,
    SIGNATURE,
    STRING8,
    attribute,
    container,
    file,
    properties,
    text,
    variable,
)

from app.mime.parse import parse_message
from app.mime.tnef import MAX_FILES, NotTnef, PackedFile, PackedMessage, open_tnef

WHOLE = container(
    file("Übersicht 2026.txt", b"one\r\n"),
    file("logo.png", b"\x89PNG\0\0", text(0x3712, "logo@1"), text(0x370E, "image/png")),
    body="Hello\r\nthere",
    html="<p>Hellö <img src='cid:logo@1'></p>",
)


def mail(*parts: tuple[str, bytes], text: str = "") -> bytes:
    lines = [
        "From: a@b.example",
        "MIME-Version: 1.0",
        'Content-Type: multipart/mixed; boundary="x"',
    ]
    lines += ["", "--x", "Content-Type: text/plain", "", text]
    for header, content in parts:
        encoded = base64.b64encode(content).decode()
        lines += ["--x", header, "Content-Transfer-Encoding: base64", "", encoded]
    return "\r\n".join([*lines, "--x--", ""]).encode()


WINMAIL = 'Content-Type: application/ms-tnef; name="winmail.dat"'


def test_container_is_opened_as_another_reader_opens_it() -> None:
    other = tnefparse.TNEF(WHOLE)
    message = open_tnef(WHOLE)
    assert message == PackedMessage(
        "Hello\nthere",
        "<p>Hellö <img src='cid:logo@1'></p>",
        (
            PackedFile("Übersicht 2026.txt", "text/plain", "", b"one\r\n"),
            PackedFile("logo.png", "image/png", "logo@1", b"\x89PNG\0\0"),
        ),
    )
    assert [one.long_filename() for one in other.attachments] == [f.name for f in message.files]
    assert [bytes(one.data) for one in other.attachments] == [f.content for f in message.files]
    assert other.htmlbody == message.html
    assert other.body.splitlines() == message.text.splitlines()


def test_text_is_read_in_the_code_page_of_the_container() -> None:
    body = attribute(MESSAGE, 0x800C, "Привет\0".encode("cp1251"))
    title = attribute(ATTACHMENT, 0x8010, "отчёт.doc\0".encode("cp1251"))
    start = attribute(ATTACHMENT, 0x9002, b"\0" * 14)
    data = attribute(ATTACHMENT, 0x800F, b"x")
    message = open_tnef(container(body, start, title, data, code_page=1251))
    assert message.text == "Привет"
    assert message.files == (PackedFile("отчёт.doc", "application/msword", "", b"x"),)


def test_properties_of_other_kinds_are_stepped_over() -> None:
    named = struct.pack("<HH16sII", 0x0002, 0x8001, b"g" * 16, 0, 7) + b"\x01\0\0\0"
    spelled = (
        struct.pack("<HH16sII", 0x000B, 0x8002, b"g" * 16, 1, 10)
        + "Name\0".encode("utf-16-le")
        + b"\0\0"
        + b"\x01\0\0\0"
    )
    several = variable(STRING8, 0x3000, b"one\0", b"three\0")
    numbers = struct.pack("<HHI", 0x1002, 0x3001, 3) + b"\x01\0\x02\0\x03\0\0\0"
    entries = properties(named, spelled, several, numbers, text(0x1000, "at last"))
    message = open_tnef(SIGNATURE + attribute(MESSAGE, 0x9003, entries))
    assert message.text == "at last"


def test_embedded_message_is_opened_too_and_not_for_ever() -> None:
    inner = container(file("deep.txt", b"deep"), body="Inner text")
    for _ in range(6):
        embedded = properties(variable(OBJECT, 0x3701, EMBEDDED + inner))
        inner = container(
            attribute(ATTACHMENT, 0x9002, b"\0" * 14),
            attribute(ATTACHMENT, 0x9005, embedded),
            body="Outer text",
        )
    message = open_tnef(inner)
    assert [one.name for one in message.files] == ["message.txt", "message.txt", ""]
    one_deep = container(
        attribute(ATTACHMENT, 0x9002, b"\0" * 14),
        attribute(
            ATTACHMENT,
            0x9005,
            properties(variable(OBJECT, 0x3701, EMBEDDED + container(file("a.txt", b"a")))),
        ),
    )
    assert [one.content for one in open_tnef(one_deep).files] == [b"a"]


def test_container_that_lost_its_end_gives_what_is_left() -> None:
    message = open_tnef(WHOLE[:-40])
    assert [one.content for one in message.files] == [b"one\r\n", b"\x89PNG\0\0"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 100,
        SIGNATURE[:3],
        SIGNATURE + attribute(7, 0x800C, b""),
        SIGNATURE + attribute(ATTACHMENT, 0x800F, b"without a start"),
        SIGNATURE + attribute(MESSAGE, 0x800C, b"") * 10_000,
        SIGNATURE + attribute(ATTACHMENT, 0x9002, b"") * (MAX_FILES + 1),
    ],
)
def test_broken_container_is_refused(data: bytes) -> None:
    with pytest.raises(NotTnef):
        open_tnef(data)


@pytest.mark.parametrize(
    "entries",
    [
        b"\xff",
        struct.pack("<I", 0xFFFFFFFF),
        struct.pack("<IHHI", 1, 0x1003, 0x1000, 0xFFFFFFFF),
        struct.pack("<I", 0xFFFFFFFF) + struct.pack("<HHI", 0x1002, 0x1000, 0) * 100_000,
        struct.pack("<IHHI", 1, 0x101E, 0x1000, 0xFFFFFFFF) + b"\0" * 4_000_000,
        struct.pack("<I", 0xFFFFFFFF) + struct.pack("<HHI", 0x001E, 0x1000, 0) * 400_000,
    ],
)
def test_counts_that_lie_cost_nothing(entries: bytes) -> None:
    message = open_tnef(SIGNATURE + attribute(MESSAGE, 0x9003, entries))
    assert message == PackedMessage("", "", ())


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.integers(0, len(WHOLE)), st.integers(0, 300))
def test_nothing_but_refusal_is_raised_whatever_the_bytes(
    noise: bytes, place: int, gap: int
) -> None:
    for data in (noise, SIGNATURE + noise, WHOLE[:place] + noise + WHOLE[place + gap :]):
        try:
            message = open_tnef(data)
        except NotTnef:
            continue
        assert len(message.files) <= MAX_FILES
        for one in message.files:
            (one.name + one.content_type + one.content_id).encode()


def test_files_are_attachments_of_the_message_and_its_text_the_body() -> None:
    message = parse_message(mail((WINMAIL, WHOLE)))
    assert [part.file_name for part in message.attachments] == [
        "winmail.dat",
        "Übersicht 2026.txt",
        "logo.png",
    ]
    assert (message.text, message.snippet) == ("Hello\nthere", "Hello there")
    assert message.html.startswith("<p>Hellö")
    assert [part.is_inline for part in message.attachments] == [False, False, True]
    assert message.attachments[0].content == WHOLE
    assert len({part.storage_name for part in message.attachments}) == 3
    assert message.defects == ()


def test_text_of_the_message_itself_comes_first() -> None:
    message = parse_message(mail((WINMAIL, WHOLE), text="My own."))
    assert (message.text.strip(), message.html) == ("My own.", "")
    assert len(message.attachments) == 3


def test_container_is_known_by_its_name() -> None:
    header = 'Content-Type: application/octet-stream; name="WINMAIL.DAT"'
    assert len(parse_message(mail((header, WHOLE))).attachments) == 3


def test_message_stays_as_it_was_when_its_container_is_broken() -> None:
    message = parse_message(mail((WINMAIL, b"nothing of the kind"), text="Hello"))
    assert [part.file_name for part in message.attachments] == ["winmail.dat"]
    assert message.text.strip() == "Hello"
    assert message.defects == ("winmail-unreadable",)


def test_names_in_a_container_are_made_safe() -> None:
    names = ["../../etc/passwd", "C:\\windows\\x.exe", "invoice\u202efdp.exe", "\0", "a" * 5000]
    message = parse_message(mail((WINMAIL, container(*(file(name, b"x") for name in names)))))
    for part in message.attachments:
        assert "/" not in part.storage_name
        assert "\u202e" not in part.file_name
        assert 0 < len(part.file_name) <= 150


def test_five_containers_are_opened_when_there_are_fifty() -> None:
    message = parse_message(mail(*[(WINMAIL, container(file("a.txt", b"a")))] * 50))
    assert len(message.attachments) == 55
