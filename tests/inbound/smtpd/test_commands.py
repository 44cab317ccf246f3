"""Arguments of MAIL, RCPT and HELO, as clients write them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.inbound.smtpd import replies
from app.inbound.smtpd.commands import (
    MailCommand,
    parse_client_name,
    parse_mail,
    parse_recipient,
)
from app.inbound.smtpd.replies import Refusal


@pytest.mark.parametrize(
    ("argument", "command"),
    [
        ("FROM:<a@b.test>", MailCommand("a@b.test")),
        ("from:<A.b+c@B.Test>", MailCommand("A.b+c@B.Test")),
        ("FROM: <a@b.test>", MailCommand("a@b.test")),
        ("FROM:a@b.test", MailCommand("a@b.test")),
        ("FROM:<>", MailCommand("")),
        ("FROM:<> SIZE=12 BODY=8BITMIME", MailCommand("", 12)),
        ("FROM:<@relay.test,@two.test:a@b.test>", MailCommand("a@b.test")),
        ('FROM:<"a b\\"c"@b.test>', MailCommand('"a b\\"c"@b.test')),
        ("FROM:<a@[192.0.2.1]>", MailCommand("a@[192.0.2.1]")),
        ("FROM:<a@[IPv6:2001:db8::1]>", MailCommand("a@[IPv6:2001:db8::1]")),
        ("FROM:<josé@bücher.test> SMTPUTF8", MailCommand("josé@bücher.test", 0, True)),
        ("FROM:<a@b.test> body=7bit size=5 smtputf8", MailCommand("a@b.test", 5, True)),
    ],
)
def test_mail_is_understood_when_well_formed(argument, command):
    assert parse_mail(argument) == command


@pytest.mark.parametrize(
    ("argument", "reply"),
    [
        ("", replies.BAD_ARGUMENT),
        ("<a@b.test>", replies.BAD_ARGUMENT),
        ("TO:<a@b.test>", replies.BAD_ARGUMENT),
        ("FROM:", replies.BAD_SENDER),
        ("FROM:<a@b.test", replies.BAD_SENDER),
        ("FROM:<a b@b.test>", replies.BAD_SENDER),
        ("FROM:<a>", replies.BAD_SENDER),
        ("FROM:<postmaster>", replies.BAD_SENDER),
        ("FROM:<a@b.test>SIZE=1", replies.BAD_SENDER),
        ("FROM:<a\0@b.test>", replies.BAD_SENDER),
        ("FROM:<a@b.test\u2028X: y> SMTPUTF8", replies.BAD_SENDER),
        ("FROM:<a\u0085@b.test> SMTPUTF8", replies.BAD_SENDER),
        (f"FROM:<{'a' * 320}@b.test>", replies.BAD_SENDER),
        ("FROM:<a@b.test> SIZE=x", replies.UNKNOWN_PARAMETER),
        ("FROM:<a@b.test> SIZE", replies.UNKNOWN_PARAMETER),
        ("FROM:<a@b.test> SIZE=²", replies.UNKNOWN_PARAMETER),
        ("FROM:<a@b.test> BODY=BINARYMIME", replies.UNKNOWN_PARAMETER),
        ("FROM:<a@b.test> SMTPUTF8=1", replies.UNKNOWN_PARAMETER),
        ("FROM:<a@b.test> RET=FULL", replies.UNKNOWN_PARAMETER),
        ("FROM:<josé@b.test>", replies.NEEDS_SMTPUTF8),
    ],
)
def test_mail_is_refused_when_it_cannot_be_taken(argument, reply):
    with pytest.raises(Refusal) as refused:
        parse_mail(argument)
    assert refused.value.reply is reply


@pytest.mark.parametrize("address", ["a@b.test", "postmaster", "PostMaster", '"x y"@b.test'])
def test_a_recipient_is_kept_as_it_was_written(address):
    assert parse_recipient(f"TO:<{address}>", smtputf8=False) == address


@pytest.mark.parametrize(
    ("argument", "reply"),
    [
        ("FROM:<a@b.test>", replies.BAD_ARGUMENT),
        ("TO:<>", replies.BAD_RECIPIENT),
        ("TO:<somebody>", replies.BAD_RECIPIENT),
        ("TO:<a@b.test> NOTIFY=NEVER", replies.UNKNOWN_PARAMETER),
        ("TO:<josé@b.test>", replies.NEEDS_SMTPUTF8),
    ],
)
def test_a_recipient_is_refused_when_it_cannot_be_taken(argument, reply):
    with pytest.raises(Refusal) as refused:
        parse_recipient(argument, smtputf8=False)
    assert refused.value.reply is reply


@pytest.mark.parametrize("name", ["mail.example.test", "[192.0.2.1]", "localhost", "bücher.test"])
def test_a_client_name_is_any_visible_word(name):
    assert parse_client_name(f" {name} ", "EHLO name") == name


@pytest.mark.parametrize(
    "name", ["", "two words", "x)by(evil", "a\tb", "a\0b", "a\u2028b", "a;b", "a" * 256]
)
def test_a_client_name_is_refused_when_it_could_break_the_received_field(name):
    with pytest.raises(Refusal):
        parse_client_name(name, "EHLO name")


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_understood_or_refused(text):
    for parse in (
        lambda: parse_mail(f"FROM:{text}"),
        lambda: parse_recipient(f"TO:<{text}>", smtputf8=True),
        lambda: parse_client_name(text, "EHLO name"),
    ):
        try:
            parse()
        except Refusal as refusal:
            assert refusal.reply.encode(**refusal.facts).count(b"\r\n") == 1
