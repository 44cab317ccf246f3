"""Commands and replies over a real connection, before any message is sent."""

import os
from datetime import timedelta

import pytest

from app.directory.snapshot import DirectorySnapshot, MailboxEntry


@pytest.fixture
def client(sidecar):
    client = sidecar.connect()
    assert client.reply() == "220 mx.example.test ESMTP Pillarbox"
    return client


@pytest.fixture
def in_mail(client):
    """A client that has said MAIL."""
    client.say(b"EHLO client.test")
    assert client.say(b"MAIL FROM:<s@sender.test>") == "250 2.1.0 Sender OK"
    return client


@pytest.mark.parametrize(("hello", "protocol"), [(b"EHLO", "ESMTP"), (b"LHLO", "LMTP")])
def test_hello_tells_what_is_true(sidecar, hello, protocol):
    client = sidecar.connect(lmtp=protocol == "LMTP")
    assert client.reply() == f"220 mx.example.test {protocol} Pillarbox"
    assert client.say(hello + b" client.test").split("\n") == [
        "250-mx.example.test",
        "250-SIZE 4000000",
        "250-8BITMIME",
        "250-PIPELINING",
        "250-ENHANCEDSTATUSCODES",
        "250-SMTPUTF8",
        "250 HELP",
    ]


def test_helo_is_answered_by_the_name_alone(client):
    assert client.say(b"HELO client.test") == "250 mx.example.test"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"NOOP", "250 2.0.0"),
        (b"noop whatever", "250 2.0.0"),
        (b"RSET", "250 2.0.0"),
        (b"HELP", "214 2.0.0"),
        (b"VRFY ann@example.test", "252 2.5.0"),
        (b"VRFY nobody@example.test", "252 2.5.0"),
        (b"VRFY", "501 5.5.4"),
        (b"EXPN list", "502 5.5.1"),
        (b"ETRN example.test", "502 5.5.1"),
        (b"AUTH PLAIN AAAA", "500 5.5.1"),
        (b"STARTTLS", "502 5.5.1"),
        (b"", "500 5.5.1"),
        (b"XYZZY", "500 5.5.1"),
        (b"N\xffOP", "500 5.5.2"),
        (b"EHLO", "501 5.5.4"),
        (b"EHLO a b", "501 5.5.4"),
        (b"MAIL FROM:<s@sender.test>", "503 5.5.1"),
        (b"RCPT TO:<ann@example.test>", "503 5.5.1"),
        (b"DATA", "503 5.5.1"),
        (b"A" * 3000, "500 5.5.2"),
    ],
)
def test_a_command_before_hello_is_answered(client, line, code):
    assert client.say(line).startswith(code)
    assert client.say(b"NOOP").startswith("250")


def test_commands_out_of_order_are_refused(client):
    client.say(b"EHLO client.test")
    assert client.say(b"RCPT TO:<ann@example.test>").startswith("503 5.5.1")
    assert client.say(b"DATA").startswith("503 5.5.1")
    assert client.say(b"MAIL FROM:<s@sender.test>").startswith("250")
    assert client.say(b"MAIL FROM:<s@sender.test>").startswith("503 5.5.1")
    assert client.say(b"DATA") == "554 5.5.1 No valid recipients"
    assert client.say(b"RCPT TO:<ann@example.test>").startswith("250")
    assert client.say(b"DATA now").startswith("501 5.5.4")
    assert client.say(b"RSET").startswith("250")
    assert client.say(b"DATA").startswith("503 5.5.1")


def test_ehlo_ends_a_transaction(in_mail):
    in_mail.say(b"EHLO client.test")
    assert in_mail.say(b"RCPT TO:<ann@example.test>").startswith("503")


def test_quit_closes_the_connection(client):
    assert client.say(b"QUIT") == "221 2.0.0 Goodbye"
    assert client.reply() == ""


@pytest.mark.parametrize(
    ("recipient", "reply"),
    [
        ("ann@example.test", "250 2.1.5 Recipient OK"),
        ("Ann+news@Example.Test", "250 2.1.5 Recipient OK"),
        ("anyone@all.test", "250 2.1.5 Recipient OK"),
        ("brief@example.test", "250 2.1.5 Recipient OK"),
        ("nobody@example.test", "550 5.1.1 No such mailbox here"),
        ("gone@example.test", "550 5.1.1 No such mailbox here"),
        ("postmaster@example.test", "550 5.1.1 No such mailbox here"),
        ("Postmaster@all.test", "250 2.1.5 Recipient OK"),
        ("nobody@discard.test", "250 2.1.5 Recipient OK"),
        ("nobody@after.test", "250 2.1.5 Recipient OK"),
        ("ann@elsewhere.test", "550 5.7.1 Relaying denied"),
        ("ann@suspended.test", "550 5.3.2 This domain does not take mail"),
        (
            "ann@paused.test",
            "451 4.3.2 This domain does not take mail at present, try again later",
        ),
        ("broken", "553 5.1.3 Malformed recipient address"),
        ("josé@bücher.test", "553 5.6.7 This address needs SMTPUTF8"),
    ],
)
def test_a_recipient_is_answered_by_a_fresh_snapshot(in_mail, recipient, reply):
    assert in_mail.say(f"RCPT TO:<{recipient}>".encode()) == reply


@pytest.mark.parametrize(
    "recipient",
    ["nobody@example.test", "gone@example.test", "ann@elsewhere.test", "ann@suspended.test"],
)
def test_an_unknown_recipient_is_told_to_try_later_when_the_snapshot_is_old(
    sidecar, in_mail, recipient
):
    sidecar.age_snapshot(10)
    assert in_mail.say(f"RCPT TO:<{recipient}>".encode()).startswith("451 4.3.0")
    assert in_mail.say(b"RCPT TO:<ann@example.test>").startswith("250")
    sidecar.age_snapshot(9)
    assert in_mail.say(f"RCPT TO:<{recipient}>".encode()).startswith("550")


def test_every_recipient_is_told_to_try_later_without_a_snapshot(sidecar, in_mail):
    sidecar.snapshot_path.unlink()
    assert in_mail.say(b"RCPT TO:<ann@example.test>").startswith("451 4.3.0")


def test_a_mailbox_is_known_as_soon_as_the_snapshot_has_it_and_until_it_expires(sidecar, in_mail):
    assert in_mail.say(b"RCPT TO:<new@example.test>").startswith("550")
    expires_at = sidecar.clock.now() + timedelta(minutes=10)
    domains = sidecar.snapshot.domains
    mailboxes = {"new@example.test": MailboxEntry(expires_at)}
    sidecar.save_snapshot(DirectorySnapshot(8, domains, mailboxes))
    assert in_mail.say(b"RCPT TO:<new@example.test>").startswith("250")

    sidecar.clock.time = expires_at
    sidecar.age_snapshot(0)

    expired = in_mail.say(b"RCPT TO:<new@example.test>")
    assert (
        expired == in_mail.say(b"RCPT TO:<never@example.test>") == "550 5.1.1 No such mailbox here"
    )


def test_postmaster_without_a_domain_is_ours(sidecar, in_mail):
    assert in_mail.say(b"RCPT TO:<Postmaster>").startswith("550 5.7.1")
    domains = {**sidecar.snapshot.domains, "mx.example.test": sidecar.snapshot.domains["all.test"]}
    sidecar.save_snapshot(DirectorySnapshot(8, domains, {}))
    assert in_mail.say(b"RCPT TO:<Postmaster>").startswith("250")


def test_the_hundred_and_first_recipient_is_sent_separately(in_mail):
    for number in range(100):
        assert in_mail.say(b"RCPT TO:<r%d@all.test>" % number).startswith("250")
    assert in_mail.say(b"RCPT TO:<r100@all.test>").startswith("452 4.5.3")
    assert in_mail.say(b"DATA").startswith("354")
    assert in_mail.say(b".").startswith("250 2.6.0")


def test_a_declared_size_over_the_limit_is_refused_at_mail(client):
    client.say(b"EHLO client.test")
    assert client.say(b"MAIL FROM:<s@sender.test> SIZE=4000001").startswith("552 5.3.4")
    assert client.say(b"MAIL FROM:<s@sender.test> SIZE=4000000").startswith("250")


def test_any_size_may_be_declared_when_there_is_no_limit(start_sidecar):
    client = start_sidecar(max_message_bytes=0).connect()
    client.reply()
    assert "SIZE 0" in client.say(b"EHLO client.test")
    assert client.say(b"MAIL FROM:<> SIZE=99999999999").startswith("250")


def test_mail_is_refused_before_its_body_while_the_disk_is_full(sidecar, client):
    client.say(b"EHLO client.test")
    sidecar.space_fault = OSError("The disk does not answer.")
    assert client.say(b"MAIL FROM:<s@sender.test>").startswith("451 4.3.0")
    sidecar.fill_disk()
    assert client.say(b"MAIL FROM:<s@sender.test>") == "452 4.3.1 Storage is full, try again later"
    sidecar.space_fault = None
    assert client.say(b"MAIL FROM:<s@sender.test>").startswith("250")


def test_pipelined_commands_are_answered_in_order(client):
    client.send(
        b"EHLO client.test\r\nMAIL FROM:<s@sender.test>\r\nRCPT TO:<nobody@example.test>\r\n"
        b"RCPT TO:<ann@example.test>\r\nDATA\r\n"
    )
    replies = [client.reply()[:3] for _ in range(5)]
    assert replies == ["250", "250", "550", "250", "354"]
    client.send(b"hello\r\n.\r\nMAIL FROM:<>\r\nNOOP\r\nQUIT\r\n")
    assert [client.reply()[:3] for _ in range(5)] == ["250", "250", "250", "221", ""]


def test_a_command_that_ends_in_a_bare_lf_is_refused(client):
    client.send(b"EHLO client.test\nMAIL FROM:<s@sender.test>\nNOOP\r\n")
    assert [client.reply()[:9] for _ in range(3)] == ["500 5.5.2", "500 5.5.2", "250 2.0.0"]


@pytest.mark.parametrize(
    "name", [b"x\rReceived: y", b"x\0y", b"x) by (y", b"\xff", "x\u2028y".encode()]
)
def test_a_name_that_could_forge_a_trace_field_is_refused(client, name):
    assert client.say(b"EHLO " + name)[:2] == "50"
    assert client.say(b"MAIL FROM:<s@sender.test>").startswith("503")


def test_ten_errors_end_the_connection(client):
    for _ in range(9):
        assert client.say(b"XYZZY").startswith("500")
    assert client.say(b"XYZZY") == "421 4.7.0 Too many errors"
    assert client.reply() == ""


def test_random_commands_never_break_the_dialogue(sidecar, client):
    for seed in range(8):
        assert (
            client.say(b"X" + os.urandom(20 + seed).replace(b"\n", b"").replace(b"\r", b""))[0]
            == "5"
        )
    assert client.say(b"NOOP").startswith("250")
