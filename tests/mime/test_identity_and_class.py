"""What makes two messages the same, and what kind a message is."""

import hashlib

import pytest

from app.mime.classify import Classification, classify
from app.mime.identity import content_sha256, fingerprint
from app.mime.parse import parse_message

MAIL = (
    b"From: Jane <jane@x.org>\r\nDate: Tue, 10 Nov 2026 10:00:00 +0100\r\nSubject: Hello you\r\n"
    b'Message-ID: <1@x.org>\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\n\r\nbody\r\n--b\r\nContent-Type: a/b\r\n\r\nfile\r\n--b--\r\n"
)


def test_content_sha256_is_of_the_bytes_without_our_trace_fields() -> None:
    raw = b"Received: x\r\n" + MAIL
    assert content_sha256(memoryview(raw)[13:]) == hashlib.sha256(MAIL).digest()


@pytest.mark.parametrize(
    "same",
    [
        b"Received: by y\r\nReturn-Path: <z@x>\r\nX-Spam-Status: No\r\n" + MAIL,
        MAIL.replace(b"\r\n", b"\n"),
        MAIL.replace(b"Hello you", b"Hello\r\n you"),
        MAIL.replace(b"10:00:00 +0100", b"09:00:00 +0000"),
        MAIL.replace(
            b"--b\r\n\r\nbody", b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\nYm9keQ=="
        ),
        MAIL.replace(b'"b"', b'"other"').replace(b"--b", b"--other"),
        MAIL.replace(b"Hello you", b"=?utf-8?q?Hello_you?="),
        MAIL.replace(b"Subject", b"SUBJECT"),
    ],
)
def test_fingerprint_stays_when_only_the_way_or_the_encoding_changed(same: bytes) -> None:
    assert same != MAIL
    assert fingerprint(parse_message(same)) == fingerprint(parse_message(MAIL))


@pytest.mark.parametrize(
    "other",
    [
        MAIL.replace(b"jane@x.org", b"june@x.org"),
        MAIL.replace(b"10 Nov", b"11 Nov"),
        MAIL.replace(b"10 Nov 2026 10", b"sometime"),
        MAIL.replace(b"Hello you", b"Hello"),
        MAIL.replace(b"body", b"other"),
        MAIL.replace(b"file", b"other"),
        MAIL.replace(b"a/b", b"a/c"),
        MAIL.replace(b"body", b"").replace(b"Hello you", b"Hello youbody"),
        MAIL.replace(b"--b--", b"--b\r\nContent-Type: a/b\r\n\r\n\r\n--b--"),
    ],
)
def test_fingerprint_changes_with_the_content(other: bytes) -> None:
    assert fingerprint(parse_message(other)) != fingerprint(parse_message(MAIL))


def test_fingerprint_covers_what_is_too_long_to_show() -> None:
    long, longer = (
        fingerprint(parse_message(b"Subject: x\r\n\r\n" + b"a" * 1_200_000 + end))
        for end in (b"1", b"2")
    )
    assert long != longer


NOTHING = Classification(is_spam=False, is_bounce=False, is_auto_reply=False)
SPAM = Classification(is_spam=True, is_bounce=False, is_auto_reply=False)
AUTOMATIC = Classification(is_spam=False, is_bounce=False, is_auto_reply=True)
BOUNCE = Classification(is_spam=False, is_bounce=True, is_auto_reply=True)


def report(kind: bytes, part: bytes) -> bytes:
    return (
        b"Content-Type: multipart/report; report-type=" + kind + b"; boundary=b\r\n\r\n"
        b"--b\r\n\r\ntext\r\n--b\r\n" + part + b"\r\n--b--"
    )


STATUS = b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"


@pytest.mark.parametrize(
    ("raw", "classification"),
    [
        (b"X-A: b\r\n\r\n", NOTHING),
        (b"X-Spam-Status: Yes, score=9.1\r\n\r\n", SPAM),
        (b"X-Spam-Flag: YES\r\n\r\n", SPAM),
        (b"X-SES-Spam-Verdict: FAIL\r\n\r\n", SPAM),
        (b"X-Spam-Status: No, score=-1\r\n\r\n", NOTHING),
        (b"Auto-Submitted: no\r\n\r\n", NOTHING),
        (b"Auto-Submitted: auto-replied; owner=x\r\n\r\n", AUTOMATIC),
        (b"auto-submitted: AUTO-GENERATED\r\n\r\n", AUTOMATIC),
        (b"Precedence: Bulk\r\n\r\n", AUTOMATIC),
        (b"Precedence: first-class\r\n\r\n", NOTHING),
        (b"X-Auto-Response-Suppress: DR, OOF\r\n\r\n", AUTOMATIC),
        (b"X-Auto-Response-Suppress: All\r\n\r\n", AUTOMATIC),
        (b"X-Auto-Response-Suppress: DR, RN\r\n\r\n", NOTHING),
        (b"List-Id: <x.y>\r\n\r\n", AUTOMATIC),
        (b"Return-Path: <>\r\n\r\n", AUTOMATIC),
        (b"Return-Path: <a@b>\r\n\r\n", NOTHING),
        (b"Return-Path: <>\r\nFrom: MAILER-DAEMON@x.org\r\n\r\nYour message", BOUNCE),
        (b"X-Failed-Recipients: a@b\r\n\r\n", BOUNCE),
        (report(b"delivery-status", STATUS + b"Action: failed"), BOUNCE),
        (report(b"delivery-status", STATUS + b"Action: delayed\r\n\r\nAction: FAILED"), BOUNCE),
        (report(b"delivery-status", STATUS + b"Action: delayed"), AUTOMATIC),
        (report(b"delivery-status", STATUS + b"Action: delivered"), AUTOMATIC),
        (report(b"delivery-status", STATUS), BOUNCE),
        (report(b"DELIVERY-STATUS", b"Content-Type: text/rfc822-headers\r\n\r\nx"), BOUNCE),
        (
            report(b"disposition-notification", b"Content-Type: text/plain\r\n\r\nread"),
            AUTOMATIC,
        ),
    ],
)  # fmt: skip
def test_classify_reads_the_usual_signs(raw: bytes, classification: Classification) -> None:
    assert classify(parse_message(raw)) == classification
