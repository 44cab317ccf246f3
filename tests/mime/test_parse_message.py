"""Ordinary and odd mail: what a reader gets of it."""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from app.mime.addresses import Mailbox
from app.mime.headers import read_header
from app.mime.multipart import read_tree
from app.mime.parse import parse_message
from app.mime.parsed import Attachment, ParsedMessage
from app.mime.parts import read_fast

MIXED = b'Subject: x\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'


def mixed(*parts: bytes) -> ParsedMessage:
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
    return parse_message(MIXED + body + b"--b--\r\n")


def only_attachment(part: bytes) -> Attachment:
    (attachment,) = mixed(b"\r\nhello", part).attachments
    return attachment


def test_parse_message_reads_every_header_field_of_interest() -> None:
    message = parse_message(
        b"From: =?utf-8?q?Jan=C3=A9?= Doe <jane@example.com>\r\n"
        b'To: "Doe, Bob" <bob@example.com>, team: a@example.com, b@example.com;\r\n'
        b"Cc: carol@example.com (Carol)\r\nReply-To: <reply@example.com>\r\n"
        b"Subject: =?iso-8859-1?Q?Gr=FC=DFe?=\r\n =?utf-8?B?IGF1cyBLw7Zsbg==?=\r\n"
        b"Date: Tue, 10 Nov 2026 10:00:00 +0100\r\nMessage-ID: <1@example.com>\r\n"
        b"In-Reply-To: <0@example.com>\r\nReferences: <a@b>\r\n <0@example.com>\r\n\r\nHello\r\n"
    )
    assert message.from_ == (Mailbox("Jané Doe", "jane@example.com"),)
    assert message.to == (
        Mailbox("Doe, Bob", "bob@example.com"),
        Mailbox("", "a@example.com"),
        Mailbox("", "b@example.com"),
    )
    assert message.cc == (Mailbox("Carol", "carol@example.com"),)
    assert message.reply_to == (Mailbox("", "reply@example.com"),)
    assert message.subject == "Grüße aus Köln"
    assert message.date == datetime(2026, 11, 10, 9, 0, tzinfo=UTC)
    assert message.message_id == "1@example.com"
    assert message.in_reply_to == ("0@example.com",)
    assert message.references == ("a@b", "0@example.com")
    assert ("Subject", "Grüße aus Köln") in message.headers
    assert (message.text, message.html, message.attachments) == ("Hello\n", "", ())
    assert message.defects == ()


def test_parse_message_reads_what_the_standard_library_writes() -> None:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = "Jané <jane@example.com>"
    mail["Subject"] = "Fünf " * 40
    mail.set_content("Grüße, plain\n")
    mail.add_alternative('<p>Grüße, <b>rich</b><img src="cid:logo@x"></p>\n', subtype="html")
    html_part = mail.get_payload()[1]
    html_part.add_related(b"\x89PNG", "image", "png", cid="<logo@x>", filename="logo.png")
    mail.add_attachment(bytes(range(256)), "application", "octet-stream", filename="Übersicht.bin")
    mail.add_attachment("a,b\n", subtype="csv", filename="list.csv")
    message = parse_message(mail.as_bytes())
    assert message.subject == ("Fünf " * 40).strip()
    assert message.text == "Grüße, plain\n"
    assert message.html == '<p>Grüße, <b>rich</b><img src="cid:logo@x"></p>\n'
    assert message.snippet == "Grüße, plain"
    assert [
        (part.file_name, part.storage_name, part.content_type, part.is_inline, part.size_bytes)
        for part in message.attachments
    ] == [
        ("logo.png", "logo.png", "image/png", True, 4),
        ("Übersicht.bin", "Ubersicht.bin", "application/octet-stream", False, 256),
        ("list.csv", "list.csv", "text/csv", False, 5),
    ]
    assert message.attachments[0].content_id == "logo@x"
    assert message.attachments[1].content == bytes(range(256))


def test_parse_message_shows_the_text_of_html_when_there_is_no_other() -> None:
    message = parse_message(b"Subject: x\r\nContent-Type: text/html\r\n\r\n<p>Hello <b>you</b></p>")
    assert message.text == message.snippet == "Hello you"
    assert message.html == "<p>Hello <b>you</b></p>"


def test_parse_message_shows_a_footer_that_a_list_put_behind_the_alternatives() -> None:
    message = mixed(
        b'Content-Type: multipart/alternative; boundary="c"\r\n\r\n'
        b"--c\r\n\r\nplain\r\n--c\r\nContent-Type: text/html\r\n\r\n<p>rich</p>\r\n--c--",
        b"Content-Type: text/plain\r\n\r\nlist <footer>",
    )
    assert message.text == "plain\nlist <footer>"
    assert message.html.startswith("<p>rich</p>\n")
    assert "list &lt;footer&gt;" in message.html


def test_parse_message_takes_the_text_of_html_when_the_plain_form_is_blank() -> None:
    message = parse_message(
        b'Subject: x\r\nContent-Type: multipart/alternative; boundary="b"\r\n\r\n'
        b"--b\r\n\r\n \r\n--b\r\nContent-Type: text/html\r\n\r\n<p>rich</p>\r\n--b--"
    )
    assert message.text == "rich"


def test_parse_message_attaches_named_texts_but_not_named_alternatives() -> None:
    message = mixed(
        b'Content-Type: text/plain; name="body.txt"\r\n\r\nthe body',
        b'Content-Type: text/plain; name="notes.txt"\r\nContent-Disposition: inline\r\n\r\nnotes',
        b"Content-Type: text/html\r\nContent-Disposition: attachment\r\n\r\n<p>page</p>",
    )
    assert (message.text, message.html) == ("the body", "")
    assert [part.file_name for part in message.attachments] == ["notes.txt", "message.html"]


@pytest.mark.parametrize(
    ("part", "file_name", "content_type"),
    [
        (
            b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN",
            "invite.ics",
            "text/calendar",
        ),
        (b"Content-Type: application/ms-tnef\r\n\r\nx", "winmail.dat", "application/ms-tnef"),
        (
            b"Content-Type: message/rfc822\r\n\r\nSubject: Re: a/b\r\n\r\nin",
            "Re: a-b.eml",
            "message/rfc822",
        ),
        (b"Content-Type: message/rfc822\r\n\r\nno header", "message.eml", "message/rfc822"),
        (
            b"Content-Type: message/delivery-status\r\n\r\nAction: failed",
            "delivery-status.txt",
            "message/delivery-status",
        ),
        (b"Content-Type: image/png\r\n\r\nx", "image.png", "image/png"),
        (b"Content-Type: odd/type\r\n\r\nx", "attachment.bin", "odd/type"),
        (b"Content-Type: bad/<type>\r\n\r\nx", "attachment.bin", "application/octet-stream"),
        (
            b"Content-Disposition: attachment;\r\n filename*0*=utf-8''%C3%9Cber;\r\n"
            b" filename*1*=%20sicht;\r\n filename*2=.pdf\r\n\r\nx",
            "Über sicht.pdf",
            "text/plain",
        ),
        (
            b'Content-Type: a/b; name="=?utf-8?q?=C3=9Cber;_sicht.pdf?="\r\n\r\nx',
            "Über; sicht.pdf",
            "a/b",
        ),
        (
            b'Content-Disposition: attachment; filename="a;b\\".txt"\r\n\r\nx',
            'a;b".txt',
            "text/plain",
        ),
        (b"Content-Disposition: odd; filename=../../etc/passwd\r\n\r\nx", "passwd", "text/plain"),
        (b'Content-Type: a/b; name="\xe2\x80\xaegpj.exe"\r\n\r\nx', "gpj.exe", "a/b"),
    ],
)
def test_parse_message_names_each_attachment(
    part: bytes, file_name: str, content_type: str
) -> None:
    attachment = only_attachment(part)
    assert (attachment.file_name, attachment.content_type) == (file_name, content_type)
    assert attachment.disposition in ("", "inline", "attachment")


def test_parse_message_reads_broken_base64_as_far_as_it_goes() -> None:
    part = b"Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    message = mixed(part + b"aGVsbG8gd29ybGQ", part + b"aGVs\r\n!bG8=\r\n-- \r\nA footer")
    assert [each.content for each in message.attachments] == [b"hello world", b"hello"]
    assert message.defects == ("broken-transfer-encoding",)


def test_parse_message_reads_broken_quoted_printable() -> None:
    head = b"Subject: x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    assert parse_message(head + b"a=C3=A9 =ZZ b=\r\nc =").text.startswith("aé =ZZ bc ")


@pytest.mark.parametrize(
    ("charset", "octets", "text"),
    [
        (b"", "naïve".encode(), "naïve"),
        (b"", b"na\xefve", "naïve"),
        (b"us-ascii", "naïve".encode(), "naïve"),
        (b"no-such-charset", b"na\xefve", "naïve"),
        (b"iso-8859-1", b"\x93quoted\x94", "“quoted”"),
        (b"utf8mb4", "naïve".encode(), "naïve"),
        (b"cp850", "naïve".encode("cp850"), "naïve"),
        (b"cp932", "日本語".encode("cp932"), "日本語"),
        (b"shift_jis", "①髙".encode("cp932"), "①髙"),
        (b"hz", "中文".encode("hz"), "中文"),
        (b"gb2312", "中文".encode("gb18030"), "中文"),
        (b"ks_c_5601-1987", "한국".encode("cp949"), "한국"),
        (b'"UTF-8" (a comment)', "naïve".encode(), "naïve"),
        (b"utf-8", "\ufeffnaïve".encode(), "naïve"),
        (b"utf-8", b"na\xefve", "na\ufffdve"),
        (b"utf-7", b"+2AA-", "\ufffd"),
        (b"punycode", b"abc", "abc"),
    ],
)
def test_parse_message_decodes_a_text_in_the_charset_that_was_meant(
    charset: bytes, octets: bytes, text: str
) -> None:
    head = b"Subject: x\r\nContent-Type: text/plain; charset=" + charset + b"\r\n\r\n"
    assert parse_message(head + octets).text == text


def test_snippet_leaves_out_what_only_pads_a_preview() -> None:
    padding = "\u200c\u00a0\u034f\u200b" * 50
    message = parse_message(f"Subject: x\r\n\r\n  Hello\r\n\t{padding}you\u202e\r\n".encode())
    assert message.snippet == "Hello you"


SAMPLES = [
    b"Subject: x\r\n\r\nplain",
    b"Subject: x\n\nplain\nunix\n",
    MIXED
    + b"before\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b--\r\n\r\nend",
    MIXED + b"--b\r\n\r\none\r\n--b",
    MIXED
    + b"--b\r\nContent-Type: a/b; name=x\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=\r\n--b--",
    MIXED
    + b"--b\r\nContent-ID: <a@b>\r\nContent-Disposition: inline; filename=a\r\n\r\nx\r\n--b--",
    MIXED
    + b"--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--b--\r\n",
]


@pytest.mark.parametrize("raw", SAMPLES)
def test_both_readers_of_the_tree_agree(raw: bytes) -> None:
    header = read_header(raw, 0, len(raw))
    assert read_fast(raw, header) == read_tree(raw, header)[0]


@pytest.mark.parametrize(
    "raw",
    [
        MIXED + b"--b\r\n\r\none\r\n--bb\r\n\r\ntwo\r\n--b--\r\n",
        MIXED + b"hello",
        MIXED + b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nz\r\n--b--",
        MIXED + b"--b\r\nContent-Type: a/b; name*=utf-8''=?x?q?y?=\r\n\r\nz\r\n--b--",
        MIXED + b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\n!\r\n--b--",
        MIXED + b"--b\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n!\r\n--b--",
        MIXED + b"--b\r\n\r\nx\r\n" * 300,
        MIXED + b"--b\r\nno empty line\r\n--b--",
        b'Content-Type: text/plain; name="=?utf-8?q?a?="\r\n\r\nx',
        b"Content-Type: text/plain" + b"; a=b" * 10_000 + b"\r\n\r\nx",
    ],
)
def test_fast_reader_leaves_to_the_other_what_it_may_misread(raw: bytes) -> None:
    assert read_fast(raw, read_header(raw, 0, len(raw))) is None
