"""Whatever the bytes: a message or `Unparseable`; whatever message: the same again when read."""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr

from hypothesis import given, settings
from hypothesis import strategies as st
from test_parse_hostile import assert_sound

from app.mime.addresses import parse_addresses
from app.mime.encoded_words import decode_words
from app.mime.file_names import MAX_STORAGE_NAME_CHARS, display_file_name, safe_file_name
from app.mime.headers import read_header
from app.mime.identity import fingerprint
from app.mime.multipart import Part, read_tree
from app.mime.parameters import parse_value
from app.mime.parse import Unparseable, parse_message
from app.mime.parts import read_fast
from app.mime.references import parse_message_ids

PIECES = [
    b"\r\n", b"\n", b"\r", b"\n\n", b"\r\n\r\n", b"--b", b"--b--", b"--", b" ", b"\t", b":", b";",
    b"=", b"From: ", b"To: ", b"Subject: ", b"Date: ", b"References: ", b"Content-Type: ",
    b"multipart/mixed", b"multipart/alternative", b"text/plain", b"text/html", b"message/rfc822",
    b"; boundary=b", b"; charset=", b"utf-7", b"utf-16", b"iso-2022-jp", b"hz",
    b"Content-Transfer-Encoding: ", b"base64", b"quoted-printable",
    b"Content-Disposition: attachment", b"; filename=", b"; filename*0*=", b"utf-8''",
    b"=?utf-8?q?", b"=?x?b?", b"?=", b"<", b">", b'"', b"\\", b"(", b")", b",", b"@", b"a",
    b"\x00", b"\xff", b"\xed\xa0\x80", b"<p>", b"<table>", b"</", b"&#", b"cid:",
    b"Mon, 1 Jan 2026 00:00:00", b"+9999", b"9" * 5000, b"=41", b"%41", b"~{", b"\x1b$B",
    b"+2AA-",
]  # fmt: skip
fragments = st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=60).map(b"".join)


@settings(max_examples=600, deadline=None)
@given(fragments | st.binary(max_size=500))
def test_parse_message_raises_nothing_but_unparseable(raw: bytes) -> None:
    for mail in (raw, b"Subject: x\r\n" + raw):
        try:
            message = parse_message(mail)
        except Unparseable:
            continue
        assert_sound(message)


@settings(max_examples=300, deadline=None)
@given(fragments)
def test_both_readers_agree_when_the_fast_one_reads_at_all(rest: bytes) -> None:
    raw = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n' + rest
    header = read_header(raw, 0, len(raw))
    fast = read_fast(raw, header)
    if fast is not None:
        assert leaves(fast) == leaves(read_tree(raw, header)[0])


def leaves(part: Part) -> list[Part]:
    """Those with content; a delimiter at the very end may or may not begin an empty part."""
    if not part.children:
        return [part] if part.content else []
    return [leaf for child in part.children for leaf in leaves(child)]


lines = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=60)
texts = st.lists(lines, min_size=1, max_size=8).map(
    lambda found: "".join(f"{line}\n" for line in found)
)
words = st.text(
    st.characters(categories=["L", "N"], exclude_characters="ªº"), min_size=1, max_size=12
)
titles = st.lists(words, min_size=1, max_size=8).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(
    name=words,
    subject=titles,
    text=texts,
    html=texts,
    date=st.datetimes(datetime(1970, 1, 2), datetime(2999, 12, 30), timezones=st.just(UTC)),
    files=st.lists(st.tuples(words, st.binary(max_size=300)), max_size=3),
    encoding=st.sampled_from(["base64", "quoted-printable", "8bit"]),
)
def test_parse_message_reads_back_what_the_standard_library_wrote(
    name: str,
    subject: str,
    text: str,
    html: str,
    date: datetime,
    files: list[tuple[str, bytes]],
    encoding: str,
) -> None:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = formataddr((name, "sender@example.com"))
    mail["Subject"] = subject
    mail["Date"] = format_datetime(date)
    mail.set_content(text, cte=encoding)
    mail.add_alternative(html, subtype="html", cte=encoding)
    for file_name, content in files:
        mail.add_attachment(content, "application", "x-test", filename=file_name + ".bin")
    message = parse_message(mail.as_bytes())
    # The standard library loses a space where it divides a long phrase into encoded words.
    assert message.subject.replace(" ", "") == subject.replace(" ", "")
    assert [(each.name, each.address) for each in message.from_] == [(name, "sender@example.com")]
    assert message.date == date.replace(microsecond=0)
    assert message.html == html
    if text.strip():
        assert message.text == text
    assert [(each.file_name, each.content) for each in message.attachments] == [
        (file_name + ".bin", content) for file_name, content in files
    ]


@settings(max_examples=60, deadline=None)
@given(subject=titles, text=texts, content=st.binary(max_size=300))
def test_fingerprint_is_the_same_whatever_the_transfer_encoding(
    subject: str, text: str, content: bytes
) -> None:
    fingerprints = set()
    for encoding in ("base64", "quoted-printable", "8bit"):
        mail = EmailMessage(policy=SMTP)
        mail["Received"] = f"by mx.example.com id {encoding}; Tue, 10 Nov 2026 10:00:00 +0100"
        mail["Subject"] = subject
        mail.set_content(text, cte=encoding)
        mail.add_attachment(content, "application", "x-test", cte="base64")
        fingerprints.add(fingerprint(parse_message(mail.as_bytes())))
    assert len(fingerprints) == 1


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_readers_of_fields_take_any_text(text: str) -> None:
    for mailbox in parse_addresses(text):
        str(mailbox)
    parse_message_ids(text)
    decode_words(text)
    parse_value(text.encode("utf-8", "replace"))
    assert display_file_name(text, text)
    name = safe_file_name(text, text, ())
    assert len(name) <= MAX_STORAGE_NAME_CHARS
