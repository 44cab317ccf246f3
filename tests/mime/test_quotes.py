"""What is quoted at the end of a mail, told from what was written."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.mime.quotes import MAX_CHARS, is_copied_header, split_quote

HEADER = (
    "From: Ada <ada@x.example>\nSent: Monday, 5 May 2025 10:00\nTo: Bob\nSubject: Tea\n\nHello\n"
)


@pytest.mark.parametrize(
    "written,quoted",
    [
        ("Yes.\n\n", "On Mon, 5 May 2025 at 10:00, Ada <ada@x.example> wrote:\n\n> Tea?\n> Ada\n"),
        ("Yes.\n", "On Mon, 5 May 2025 at 10:00, Ada Lovelace\n<ada@x.example> wrote:\n> Tea?\n"),
        ("Yes.\n", "> Tea?\n>\n> > Deeper\n\n"),
        ("Yes.\n", "Ada wrote:\n>Tea?"),
        ("Ja.\n", "Am 05.05.2025 um 10:00 schrieb Ada:\n> Tee?\n"),
        ("Oui.\n", "Le lun. 5 mai 2025 à 10:00, Ada <a@x.example> a écrit\xa0:\n> Thé ?\n"),
        ("Sí.\n", "El 5 may 2025, a las 10:00, Ada escribió:\n\n> ¿Té?\n"),
        ("Ja.\n", "Op 5 mei 2025 schreef Ada:\n> Thee?\n"),
        ("Yes.\n\n", "On 5 May 2025 at 10:00, Ada wrote:\n\nTea?\nAda\n"),
        ("Yes.\n\n", "-----Original Message-----\n" + HEADER),
        ("Yes.\n\n", "----- Forwarded message -----\nHello\n"),
        ("Yes.\n\n", HEADER),
        ("Yes.\n\n", HEADER.replace("From", "*From").replace(":", ":*")),
        ("Ja.\n\n", "Von: Ada\nGesendet: Montag, 5. Mai 2025\nAn: Bob\nBetreff: Tee\n\nHallo\n"),
        ("Oui.\n\n", "De : Ada\nEnvoyé : lundi 5 mai\nÀ : Bob\nObjet : Thé\n\nBonjour\n"),
        ("One.\n> A?\nTwo.\n", "> B?\n"),
        ("Yes.\r\n\r\n", "On 5 May 2025, Ada wrote:\r\n> Tea?\r\n"),
    ],
)
def test_end_is_told_apart_when_a_program_quoted(written: str, quoted: str) -> None:
    assert split_quote(written + quoted) == (written, quoted)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "No quotation.\n",
        "> Only a quotation\n> of two lines\n",
        "On 5 May 2025, Ada wrote:\n> Nothing above\n",
        HEADER,
        "> Tea?\nYes, below.\n",
        "On 5 May 2025, Ada wrote:\n> Tea?\nYes, below.\n",
        "Hello\n\nOn 5 May 2025, Ada wrote:\n\nA\n> Tea?\nYes, in between.\n",
        "Look at what they wrote:\nNothing.\n",
        "From: here to there\nTo: the point\n",
        "The fields are\nFrom: a\nFrom: b\nFrom: c\n",
        "Two things on 5 May:\none\ntwo\n",
        "On 5 May 2025, Ada wrote:",
        "Hello\n-----Original Message-----\n\n",
    ],
)
def test_text_stays_whole_when_an_answer_would_be_hidden(text: str) -> None:
    assert split_quote(text) == (text, "")


@given(
    st.lists(
        st.sampled_from(
            ["> a", ">", "", " ", "b", "On 5 May, A wrote:", "A wrote:", "From: a", "Date: b",
             "To: c", "-----Original Message-----", "\x0c", "\u2028", "x:"]
        ),
        max_size=20,
    ),
    st.sampled_from(["\n", "\r\n", "\r"]),
)  # fmt: skip
def test_nothing_is_lost_or_hidden(lines: list[str], ending: str) -> None:
    text = ending.join(lines)
    written, quoted = split_quote(text)
    assert written + quoted == text
    assert written.strip() or not quoted


@pytest.mark.parametrize(
    "line",
    ["> ", "\n", "a\n> b\n", "On 5 May A wrote:\n", "On 5 wrote:", "x wrote:\n\n", "From: a\n",
     "From: a\nDate: b\n", "-----Original Message-----\n", "-" * 30, "On " * 100 + ":\n",
     "wrote " * 60 + ":\n", ">" * 50 + "\n", "> \n\n", "a wrote:\n> b\nc\n"],
)  # fmt: skip
def test_hostile_text_costs_no_more_than_its_length(line: str) -> None:
    """What is quadratic would take an hour."""
    text = "Hello\n" + line * (MAX_CHARS // len(line) - 1)
    written, quoted = split_quote(text)
    assert len(written) + len(quoted) == len(text)


def test_text_that_is_very_long_is_left_as_it_is() -> None:
    text = "Hello\n" + "> a\n" * (MAX_CHARS // 4)
    assert split_quote(text) == (text, "")


def test_header_needs_a_sender_first() -> None:
    lines = HEADER.splitlines()
    assert is_copied_header(lines)
    assert is_copied_header(["> " + line for line in lines])
    assert not is_copied_header(lines[1:])
    assert not is_copied_header(random.Random(1).sample(lines[1:], 3) + lines[:1])
