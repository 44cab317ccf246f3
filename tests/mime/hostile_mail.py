"""Messages that want to hang, break or fool a parser, built in code."""

import base64
from collections.abc import Callable, Mapping

HEADER = b"From: a@example.com\r\nTo: b@example.com\r\nSubject: x\r\n"
MIXED = HEADER + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'


def nest(depth: int) -> bytes:
    """A text inside of `depth` multiparts, each with a boundary of its own."""
    opened = b"".join(
        b'Content-Type: multipart/mixed; boundary="=%06d"\r\n\r\n--=%06d\r\n' % (level, level)
        for level in range(depth)
    )
    closed = b"".join(b"\r\n--=%06d--" % level for level in reversed(range(depth)))
    return HEADER + opened + b"Content-Type: text/plain\r\n\r\nthe core" + closed


def html(markup: bytes) -> bytes:
    return HEADER + b"Content-Type: text/html; charset=utf-8\r\n\r\n" + markup


def fields(name: bytes, value: bytes) -> bytes:
    return b"From: a@example.com\r\n" + name + b": " + value + b"\r\n\r\nhello"


HOSTILE_MAIL: Mapping[str, Callable[[], bytes]] = {
    "10000 nested parts": lambda: nest(10_000),
    "10000 nested parts with one boundary": lambda: (
        HEADER + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n' * 10_000
    ),
    "100000 sibling parts": lambda: MIXED + b"--b\r\n\r\nhi\r\n" * 100_000,
    "a million empty delimiters": lambda: (
        HEADER + b'Content-Type: multipart/mixed; boundary=""\r\n\r\n' + b"--\n" * 1_000_000
    ),
    "2000 attachments of one name": lambda: (
        MIXED + b"--b\r\nContent-Type: a/b; name=x\r\n\r\nz\r\n" * 2_000
    ),
    "a million fields in a part": lambda: MIXED + b"--b\n" + b"a:\n" * 1_000_000 + b"\nhi",
    "nested embedded messages": lambda: (
        HEADER + b"Content-Type: message/rfc822\r\n\r\n" * 10_000 + b"Subject: in\r\n\r\nhi"
    ),
    "100000 semicolons": lambda: fields(b"Content-Type", b"text/plain" + b";" * 100_000),
    "100000 parameters": lambda: fields(
        b"Content-Type", b"text/plain" + b"".join(b"; a%d=b" % n for n in range(100_000))
    ),
    "100000 parameter sections": lambda: fields(
        b"Content-Disposition",
        b"attachment" + b"".join(b";\r\n filename*%d*=%%41" % n for n in range(100_000)),
    ),
    "a section number of 5000 digits": lambda: fields(
        b"Content-Disposition", b"attachment; filename*" + b"9" * 5_000 + b"=x"
    ),
    "50000 addresses": lambda: fields(
        b"To", b",\r\n ".join(b"n%d <u%d@example.com>" % (n, n) for n in range(50_000))
    ),
    "a million open brackets": lambda: fields(b"To", b"<" * 1_000_000),
    "a million open comments": lambda: fields(b"To", b"(" * 1_000_000),
    "a million quotes": lambda: fields(b"To", b'"\\' * 500_000),
    "a million commas": lambda: fields(b"To", b"," * 1_000_000),
    "a subject of 5 MB": lambda: fields(b"Subject", b"a" * 5_000_000),
    "a subject of 5 MB, folded": lambda: fields(b"Subject", b"a\r\n " * 1_300_000),
    "400000 encoded words": lambda: fields(b"Subject", b"=?utf-8?q?a?= " * 400_000),
    "500000 open encoded words": lambda: fields(b"Subject", b"=?utf-8?q?" * 500_000),
    "open encoded words in a part": lambda: (
        MIXED + b"--b\r\nContent-Disposition: " + b"=?utf-8?q?" * 100_000 + b"\r\n\r\nhi\r\n--b--"
    ),
    "500000 fields": lambda: b"".join(b"X%d: a\r\n" % n for n in range(500_000)) + b"\r\nhi",
    "a million references": lambda: fields(b"References", b"<a@b>\r\n " * 500_000),
    "a date of a million colons": lambda: fields(b"Date", b"1:" * 500_000),
    "an attachment of 50 MB": lambda: (
        MIXED
        + b"--b\r\nContent-Type: application/octet-stream\r\n"
        + b"Content-Disposition: attachment; filename=big.bin\r\n"
        + b"Content-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(bytes(50 * 1024 * 1024))
        + b"\r\n--b--"
    ),
    "a text of 20 MB": lambda: HEADER + b"\r\n" + b"hello world\r\n" * 1_600_000,
    "only equals signs": lambda: (
        HEADER + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=" * 2_000_000
    ),
    "broken base64": lambda: (
        HEADER + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"A=" * 500_000
    ),
    "lone surrogates": lambda: (
        HEADER + b"Content-Type: text/plain; charset=utf-16\r\n\r\n" + b"\x00\xd8" * 500_000
    ),
    "a charset that unpacks": lambda: (
        HEADER + b"Content-Type: text/plain; charset=zlib\r\n\r\nx\x9c\x03\x00\x00\x00\x00\x01"
    ),
    "nested divisions": lambda: html(b"<div>" * 100_000),
    "formatting left open": lambda: html(
        b"<p>" + b"".join(b"<font color=%d>" % n for n in range(5_000)) + b"<p>x" * 20_000
    ),
    "100000 attributes": lambda: html(b"<div" + b" a=b" * 100_000 + b">hi"),
    "NUL everywhere": lambda: (
        b"Fro\x00m: \x00\r\nSubject: \x00a\x00\r\nTo: \x00<\x00>\r\n\r\n\x00hi\x00"
    ),
    "8-bit octets everywhere": lambda: (
        b"From: \xff\xfe <\xe9@\xe9>\r\nSubject: \xff\r\nMessage-ID: <\xff>\r\nDate: \xff\r\n"
        b"Content-Type: \xff/\xff; charset=\xff; boundary=\xff\r\n\r\n\xff\xfe"
    ),
    "a header only": lambda: b"From: a@example.com\r\nSubject: x\r\n",
    "a header without an end": lambda: b"Subject: x\r\nThis line is the body.\r\nAnd this.\r\n",
    "carriage returns only": lambda: b"Subject: x\r\rhi\r\r",
    "a multipart without boundary": lambda: HEADER + b"Content-Type: multipart/mixed\r\n\r\nhello",
    "a multipart without delimiters": lambda: MIXED + b"hello",
    "a multipart without an end": lambda: MIXED + b"--b\r\n\r\nhello",
    "a delimiter that only begins like one": lambda: (
        MIXED + b"--b\r\n\r\none\r\n--bb\r\ntwo\r\n--b--\r\n"
    ),
}
