"""Any bytes that a sender can produce end as a message or in quarantine, and hold nobody up."""

import base64
import io
import struct
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mailroom import Mailroom

from app.inbox.listing import Access
from app.storage.blobs.keys import quarantine_key

HEAD = b"From: a@example.org\r\nSubject: odd\r\nMessage-ID: <odd@example.org>\r\n"


def nested(depth: int) -> bytes:
    lines = [HEAD]
    for level in range(depth):
        lines.append(
            b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level)
        )
    return b"".join([*lines, b"Content-Type: text/plain\r\n\r\nThe end\r\n"])


def many_parts(count: int) -> bytes:
    part = b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n"
    return (
        HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + part * count + b"--b--\r\n"
    )


def large_attachment(size_bytes: int) -> bytes:
    body = base64.encodebytes(b"\0" * size_bytes).replace(b"\n", b"\r\n")
    return (
        HEAD
        + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nSee the file\r\n--b\r\n'
        b'Content-Type: application/octet-stream; name="big.bin"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n" + body + b"--b--\r\n"
    )


def winmail() -> bytes:
    tnef = (
        struct.pack("<IH", 0x223E9F78, 1) + b"\x01\x06\x90\x08\x00\x04\x00\x00\x00\x00\x00\x01\x00"
    )
    return (
        HEAD + b"Content-Type: application/ms-tnef; name=winmail.dat\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(tnef)
    )


def invitation() -> bytes:
    calendar = (
        b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    return (
        HEAD + b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n--b\r\n\r\nCome\r\n'
        b"--b\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\n" + calendar + b"--b--\r\n"
    )


def inline_image() -> bytes:
    return (
        HEAD + b'Content-Type: multipart/related; boundary="b"\r\n\r\n--b\r\n'
        b"Content-Type: text/html\r\n\r\n<img src='cid:pic@x'>\r\n--b\r\n"
        b"Content-Type: image/png\r\nContent-ID: <pic@x>\r\nContent-Disposition: inline\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--b--\r\n"
    )


def zip_of_zips() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"\0" * 1_000_000)
    return (
        HEAD + b"Content-Type: application/zip; name=../../etc/passwd\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(file.getvalue())
    )


HOSTILE: dict[str, Callable[[], bytes]] = {
    "10,000 nested parts": lambda: nested(10_000),
    "10,000 parts": lambda: many_parts(10_000),
    "an attachment of 50 MB": lambda: large_attachment(50_000_000),
    "a header of 5 MB": lambda: HEAD + b"X-Long: " + b"a" * 5_000_000 + b"\r\n\r\nText\r\n",
    "a folded header of 5 MB": lambda: HEAD + b"X: " + b"a\r\n b" * 1_000_000 + b"\r\n\r\nText\r\n",
    "100,000 headers": lambda: HEAD + b"X-A: b\r\n" * 100_000 + b"\r\nText\r\n",
    "50,000 recipients": lambda: b"To: " + b"a@b.c, " * 50_000 + b"\r\n" + HEAD + b"\r\nText\r\n",
    "100,000 parameters": lambda: (
        HEAD + b"Content-Type: text/plain" + b";a=b" * 100_000 + b"\r\n\r\nx"
    ),
    "an unknown charset": lambda: (
        HEAD + b"Content-Type: text/plain; charset=x-martian\r\n\r\n\xff\xfe\r\n"
    ),
    "8-bit headers": lambda: b"From: \xe9\xe8 <a@b.c>\r\nSubject: \xff\xfe\xfd\r\n\r\nText\r\n",
    "NUL bytes": lambda: b"From: a\0b@c.d\r\nSubject: a\0b\r\n\r\nte\0xt\0\r\n",
    "the year 0": lambda: HEAD + b"Date: Mon, 01 Jan 0000 00:00:00 +0000\r\n\r\nText\r\n",
    "the year 99999": lambda: HEAD + b"Date: Mon, 01 Jan 99999 00:00:00 +0000\r\n\r\nText\r\n",
    "a zone of 99 hours": lambda: HEAD + b"Date: Mon, 01 Jan 2020 00:00:00 +9999\r\n\r\nText\r\n",
    "no headers": lambda: b"\r\nOnly a body\r\n",
    "no body": lambda: HEAD,
    "nothing": lambda: b"",
    "one byte": lambda: b"\xff",
    "only line ends": lambda: b"\r\n" * 10_000,
    "winmail.dat": winmail,
    "a calendar invitation": invitation,
    "an inline image": inline_image,
    "an archive with a path for a name": zip_of_zips,
    "a Message-ID of 1 MB": lambda: b"Message-ID: <" + b"a" * 1_000_000 + b"@x>\r\n\r\nText\r\n",
    "a subject of 1 MB": lambda: b"Subject: " + b"a" * 1_000_000 + b"\r\n\r\nText\r\n",
    "broken base64": lambda: HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n@@@@=A=\r\n",
    "surrogates": lambda: HEAD + b"Content-Type: text/plain; charset=utf-7\r\n\r\n+2AA-\r\n",
    "deep HTML": lambda: HEAD + b"Content-Type: text/html\r\n\r\n" + b"<div>" * 100_000 + b"deep",
}


@pytest.mark.parametrize("build", HOSTILE.values(), ids=HOSTILE.keys())
async def test_item_becomes_a_message_or_is_quarantined_and_the_next_is_taken_in(
    mailroom: Mailroom, build: Callable[[], bytes]
) -> None:
    data = build()
    hostile = await mailroom.spool(data)
    await mailroom.spool(b"Subject: the next\r\nMessage-ID: <next@example.org>\r\n\r\nText\r\n")
    await mailroom.take_in()

    rows = await mailroom.rows()
    assert "the next" in {row.subject for row in rows}
    quarantined = {item_id for item_id, _, _ in await mailroom.quarantined()}
    stored = [row for row in rows if row.subject != "the next"]
    assert len(stored) + len(quarantined) == 1
    assert await mailroom.services.database.fetch("select from spool_deferred") == []
    if stored:
        view = await mailroom.services.reading.open(
            Access(mailroom.mailbox.tenant_id), stored[0].id
        )
        assert "\0" not in view.subject + view.text + view.html
        assert view.size_bytes == hostile.prefix_size_bytes + len(data)
    else:
        kept = await mailroom.services.blobs.get(quarantine_key(hostile.item_id))
        assert kept.endswith(data)


async def test_every_item_has_an_end_whatever_its_bytes(mailroom: Mailroom) -> None:
    """Arbitrary bytes, and bytes that look like mail, straight through the whole pipeline."""
    fragments = st.sampled_from(
        [
            *(b"From: ", b"Subject: ", b"Content-Type: ", b"multipart/mixed; boundary=b", b"\r\n"),
            *(b"\r\n\r\n", b"--b", b"--b--", b"=?utf-8?q?=ff?=", b"\0", b"\xff", b"base64", b";"),
            *(b"message/rfc822", b"charset=utf-16", b"Date: ", b"99999", b"<", b">", b"@", b'"'),
        ]
    )
    mails = st.one_of(
        st.binary(max_size=300),
        st.lists(st.one_of(fragments, st.binary(max_size=8)), max_size=40).map(b"".join),
    )
    samples: list[bytes] = []

    @settings(max_examples=300, suppress_health_check=list(HealthCheck), database=None)
    @given(mails)
    def collect(mail: bytes) -> None:
        samples.append(mail)

    collect()
    for mail in samples:
        await mailroom.spool(mail)
    await mailroom.take_in()
    ended = await mailroom.services.database.fetch_value(
        """select (select count(*) from message)
            + (select count(*) from quarantine)
            + (select count(*) from event where type = 'message.duplicate')"""
    )
    assert ended == len(samples)
