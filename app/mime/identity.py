"""What makes a message the same message: hashes that its way here does not change."""

import hashlib
from collections.abc import Iterator

from app.mime.parsed import ParsedMessage


def content_sha256(data: bytes | memoryview) -> bytes:
    """SHA-256 of a message as it was received, without the trace fields we put on top of it."""
    return hashlib.sha256(data).digest()


def fingerprint(message: ParsedMessage) -> bytes:
    """SHA-256 of From, Date, Subject and the decoded parts.

    Trace fields, transfer encodings, charsets, line ends and folding, which change on the way or
    when a sender tries again, leave it as it is.
    """
    digest = hashlib.sha256()
    for piece in _pieces(message):
        digest.update(len(piece).to_bytes(8, "big"))
        digest.update(piece)
    return digest.digest()


def _pieces(message: ParsedMessage) -> Iterator[bytes]:
    for mailbox in message.from_:
        yield str(mailbox).encode()
    yield _date(message)
    yield message.subject.encode()
    yield message.text.rstrip().encode()
    yield message.html.rstrip().encode()
    for attachment in message.attachments:
        yield attachment.content_type.encode()
        if attachment.content_type.startswith("text/"):
            yield attachment.content.replace(b"\r\n", b"\n").rstrip()
        else:
            yield attachment.content


def _date(message: ParsedMessage) -> bytes:
    """The point in time, or what stands in the field where that is none."""
    if message.date:
        return message.date.isoformat().encode()
    values = (value for name, value in message.headers if name.lower() == "date")
    return next(values, "").encode()
