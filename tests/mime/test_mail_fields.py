"""Small readers of fields: identifiers, file names, encoded words."""

import re

import pytest

from app.mime.encoded_words import decode_words
from app.mime.file_names import (
    MAX_DISPLAY_NAME_CHARS,
    MAX_STORAGE_NAME_CHARS,
    display_file_name,
    safe_file_name,
)
from app.mime.references import MAX_REFERENCES, parse_message_ids


@pytest.mark.parametrize(
    ("field", "identifiers"),
    [
        ("", ()),
        ("<a@b>", ("a@b",)),
        ("<a@b> <c@d>\t<a@b>", ("a@b", "c@d")),
        ("<a@b><c@d>,<e@f>", ("a@b", "c@d", "e@f")),
        ("Your message of Monday <a@b> (x@y)", ("a@b",)),
        ("<a @\tb>", ("a@b",)),
        ("a@b, c@d", ("a@b", "c@d")),
        ("no identifier here", ()),
        ("<> < >", ()),
        ("<no-at>", ("no-at",)),
        ("<unclosed@b <a@b>", ("a@b",)),
        ("<" + "a" * 999 + ">", ()),
        ("<" + "é" * 500 + ">", ()),
        ("<a\x00b@c>", ("ab@c",)),
    ],
)
def test_parse_message_ids_reads_what_senders_write(
    field: str, identifiers: tuple[str, ...]
) -> None:
    assert parse_message_ids(field) == identifiers


def test_parse_message_ids_keeps_the_first_and_the_last_of_too_many() -> None:
    found = parse_message_ids(" ".join(f"<{number}@x>" for number in range(500)))
    assert len(found) == MAX_REFERENCES
    assert (found[0], found[1], found[-1]) == ("0@x", f"{501 - MAX_REFERENCES}@x", "499@x")


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?a_=C3=A9?=", "a é"),
        ("=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab"),
        ("=?utf-8?Q?a?= and =?utf-8?Q?b?=", "a and b"),
        ("=?utf-8?Q?=C3?= \t=?utf-8?Q?=A9?=", "é"),
        ("=?utf-8?B?w6k?=", "é"),
        ("x=?utf-8?B?w6k=?=y", "xéy"),
        ("=?iso-8859-1*en?Q?caf=E9 noir?=", "café noir"),
        ("=?us-ascii?Q?na=C3=AFve?=", "naïve"),
        ("=?no-such?Q?na=EFve?=", "naïve"),
        ("=?utf-8?Q??=", ""),
        ("=?utf-8?X?a?=", "=?utf-8?X?a?="),
        ("=?utf-8?Q?a", "=?utf-8?Q?a"),
        ("=?utf-8?Q?=00?=", "\ufffd"),
        ("=?utf-7?Q?+2AA-?=", "\ufffd"),
    ],
)
def test_decode_words_reads_what_senders_write(text: str, decoded: str) -> None:
    assert decode_words(text) == decoded


NAMES = [
    ("report.pdf", "report.pdf", "report.pdf"),
    ("../../etc/passwd", "passwd", "passwd"),
    ("C:\\temp\\evil.exe", "evil.exe", "evil.exe"),
    ("/", "attachment.pdf", "attachment.pdf"),
    ("..", "attachment.pdf", "attachment.pdf"),
    (".htaccess", "htaccess", "htaccess"),
    (".. .pdf", "pdf", "pdf"),
    ("photo\u202egpj.exe", "photogpj.exe", "photogpj.exe"),
    ("a\u200bb\ufeff.txt", "ab.txt", "ab.txt"),
    ("a\x00b\r\nc.txt", "a b c.txt", "a_b_c.txt"),
    ("Résumé final (2).docx", "Résumé final (2).docx", "Resume_final_2.docx"),
    ("日本語.pdf", "日本語.pdf", "attachment.pdf"),
    ("-rf", "-rf", "rf"),
    ("", "attachment.pdf", "attachment.pdf"),
    ("\ud800.txt", "\ufffd.txt", "attachment.txt"),
    ("a b%2f?*:|<>\"'.txt", "a b%2f?*:|<>\"'.txt", "a_b_2f.txt"),
]


@pytest.mark.parametrize(("name", "shown", "stored"), NAMES)
def test_file_names_are_safe_to_show_and_to_store(name: str, shown: str, stored: str) -> None:
    assert display_file_name(name, "application/pdf") == shown
    assert safe_file_name(name, "application/pdf", ()) == stored
    assert re.fullmatch(r"[A-Za-z0-9_=@+-][A-Za-z0-9._=@+-]*", stored)


def test_file_names_keep_their_extension_when_they_are_cut() -> None:
    name = "x" * 500 + ".docx"
    shown, stored = display_file_name(name, "a/b"), safe_file_name(name, "a/b", ())
    assert len(shown) == MAX_DISPLAY_NAME_CHARS
    assert len(stored) == MAX_STORAGE_NAME_CHARS
    assert shown.endswith("x.docx") and stored.endswith("x.docx")


def test_safe_file_name_differs_from_every_name_that_is_taken() -> None:
    taken: list[str] = []
    for name in ["a.txt", "A.TXT", "a.txt", "a-2.txt", "x" * 300 + ".txt", "x" * 301 + ".txt"]:
        taken.append(safe_file_name(name, "text/plain", taken))
    assert taken[:2] == ["a.txt", "A-2.TXT"]
    assert len({name.lower() for name in taken}) == len(taken)
    assert all(len(name) <= MAX_STORAGE_NAME_CHARS for name in taken)
