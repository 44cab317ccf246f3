"""Writes containers as Outlook does ([MS-OXTNEF])."""

import struct

SIGNATURE = struct.pack("<IH", 0x223E9F78, 1)
MESSAGE, ATTACHMENT = 1, 2
UNICODE, STRING8, BINARY, OBJECT, LONG = 0x001F, 0x001E, 0x0102, 0x000D, 0x0003
EMBEDDED = bytes.fromhex("0703020000000000c000000000000046")


def attribute(level: int, name: int, value: bytes, kind: int = 6) -> bytes:
    checksum = struct.pack("<H", sum(value) & 0xFFFF)
    return struct.pack("<BHHI", level, name, kind, len(value)) + value + checksum


def properties(*entries: bytes) -> bytes:
    return struct.pack("<I", len(entries)) + b"".join(entries)


def number(name: int, value: int) -> bytes:
    return struct.pack("<HHI", LONG, name, value)


def text(name: int, value: str) -> bytes:
    return variable(UNICODE, name, value.encode("utf-16-le") + b"\0\0")


def variable(kind: int, name: int, *values: bytes) -> bytes:
    several = 0x1000 if len(values) > 1 else 0
    packed = [struct.pack("<I", len(value)) + value + b"\0" * (-len(value) % 4) for value in values]
    return struct.pack("<HHI", kind | several, name, len(values)) + b"".join(packed)


def file(name: str, content: bytes, *more: bytes) -> bytes:
    """The attributes of an attachment: its short title, its content, its long name and more."""
    return (
        attribute(ATTACHMENT, 0x9002, b"\x01\0" + b"\0" * 12)
        + attribute(ATTACHMENT, 0x8010, b"SHORT~1.TXT\0")
        + attribute(ATTACHMENT, 0x800F, content)
        + attribute(ATTACHMENT, 0x9005, properties(text(0x3707, name), *more))
    )


def container(*attributes: bytes, body: str = "", html: str = "", code_page: int = 1252) -> bytes:
    entries = [number(0x3FDE, 65001)]
    if body:
        entries.append(text(0x1000, body))
    if html:
        entries.append(variable(BINARY, 0x1013, html.encode()))
    return (
        SIGNATURE
        + attribute(MESSAGE, 0x9006, struct.pack("<I", 0x10000))
        + attribute(MESSAGE, 0x9007, struct.pack("<II", code_page, 0))
        + attribute(MESSAGE, 0x9003, properties(*entries))
        + b"".join(attributes)
    )
