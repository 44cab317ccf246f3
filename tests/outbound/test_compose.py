"""Composing a mail: nothing that is given to it can add a header field or a recipient."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import InvalidInput
from app.outbound.compose import OutgoingMail, compose
from app.outbound.mail_templates import MailTemplates, Words

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


def make(
    *,
    sender: str = "Pillarbox <a@pillarbox.test>",
    recipient: str = "ada@example.test",
    subject: str = "Hello",
) -> OutgoingMail:
    words = Words(subject, "text\n", "<p>html</p>")
    return compose(words, sender=sender, recipient=recipient, message_id=UUID(int=7), date=NOW)


def test_mail_says_that_a_program_wrote_it_and_when() -> None:
    mail = make()
    assert (mail.mail_from, mail.rcpt_to) == ("a@pillarbox.test", "ada@example.test")
    message = mail.message
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"] == "Sun, 22 Nov 2026 06:00:00 +0000"
    assert message["Message-ID"] == "<00000000-0000-0000-0000-000000000007@pillarbox.test>"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


@pytest.mark.parametrize("line_break", ["\r\n", "\n", "\r", "\u2028", "\x0b"])
@pytest.mark.parametrize("field", ["sender", "recipient", "subject"])
def test_line_break_is_refused_in_whatever_becomes_a_header(field: str, line_break: str) -> None:
    good = {"sender": "a@b.test", "recipient": "c@d.test", "subject": "Hello"}
    hostile = {field: good[field] + line_break + "Bcc: eve@example.org"}
    with pytest.raises(InvalidInput):
        make(**{**good, **hostile})


@pytest.mark.parametrize("field", ["sender", "recipient"])
def test_address_is_refused_when_it_is_none(field: str) -> None:
    with pytest.raises(InvalidInput):
        make(**{field: "nobody"})


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_subject_adds_no_header_whatever_it_says(subject: str) -> None:
    if "".join(subject.splitlines()) != subject:
        with pytest.raises(InvalidInput):
            make(subject=subject)
        return
    message = message_from_bytes(make(subject=subject).message.as_bytes(), policy=default)
    assert message.keys() == [
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
        *("MIME-Version", "Content-Type"),
    ]


def test_template_escapes_html_and_keeps_text_as_it_is() -> None:
    hostile = "<script>alert(1)</script>&"
    words = MailTemplates().render(
        "sign_in", email=hostile, host="h", link="http://h/sign-in/x", code="012345", minutes=15
    )
    assert words.subject == "Your sign-in link for Pillarbox"
    assert hostile in words.text
    assert "<script>" not in words.html
    assert "http://h/sign-in/x\n" in words.text
    assert "012345" in words.text and "012345" in words.html
    assert 'href="http://h/sign-in/x"' in words.html
