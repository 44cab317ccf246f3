"""LMTP on its own listener (RFC 2033)."""

import smtplib

import pytest

from app.core.errors import StorageFull

QUEUED = "250 2.6.0 Queued as "


@pytest.mark.parametrize("hello", [b"HELO client.test", b"EHLO client.test"])
def test_the_hellos_of_smtp_are_unknown_in_lmtp(sidecar, hello):
    client = sidecar.connect(lmtp=True)
    client.reply()
    assert client.say(hello) == "500 5.5.1 Command unrecognised"
    assert client.say(b"MAIL FROM:<s@sender.test>") == "503 5.5.1 Say LHLO first"


def test_the_hello_of_lmtp_is_unknown_in_smtp(sidecar):
    client = sidecar.connect()
    client.reply()
    assert client.say(b"LHLO client.test") == "500 5.5.1 Command unrecognised"
    assert client.say(b"MAIL FROM:<s@sender.test>") == "503 5.5.1 Say EHLO first"


def test_every_accepted_recipient_gets_a_reply_after_data(sidecar):
    client = sidecar.connect(lmtp=True)
    client.reply()
    client.say(b"LHLO client.test")
    client.say(b"MAIL FROM:<s@sender.test>")
    accepted = [
        client.say(b"RCPT TO:<" + name + b"@example.test>")[:3]
        for name in (b"ann", b"nobody", b"bob", b"ann")
    ]
    assert accepted == ["250", "550", "250", "250"]
    assert client.say(b"DATA").startswith("354")
    client.send(b"hello\r\n.\r\nNOOP\r\n")
    replies = [client.reply() for _ in range(4)]
    (item,) = sidecar.stored()
    assert replies == [f"{QUEUED}{item.metadata.item_id}"] * 3 + ["250 2.0.0 OK"]
    assert item.metadata.envelope.rcpt_to == ("ann@example.test", "bob@example.test")
    assert item.metadata.source == "lmtp"
    assert b"with LMTP\r\n" in item.raw.replace(b" id ", b"\r\n")
    assert item.raw.endswith(b"hello\r\n")


def test_several_mails_are_answered_each_for_its_own_recipients(sidecar):
    client = sidecar.connect(lmtp=True)
    for count in (2, 1):
        if count == 2:
            client.open_data(b"ann@example.test", b"bob@example.test")
        else:
            client.go_to_data(b"ann@example.test")
        client.send(b"hello\r\n.\r\n")
        assert [client.reply()[:3] for _ in range(count)] == ["250"] * count
    assert client.say(b"QUIT").startswith("221")
    assert len(sidecar.stored()) == 2


@pytest.mark.parametrize(
    ("data", "fault", "code"),
    [
        (b"bare\nend\r\n", None, "550 5.5.2"),
        (b"hello\r\n", StorageFull("full"), "452 4.3.1"),
        (b"x" * 4_000_001 + b"\r\n", None, "552 5.3.4"),
    ],
)
def test_a_refused_message_is_refused_for_each_recipient(sidecar, data, fault, code):
    sidecar.writer.fault = fault
    client = sidecar.connect(lmtp=True)
    client.open_data(b"ann@example.test", b"bob@example.test")
    client.send(data + b".\r\n")
    assert [client.reply()[:9] for _ in range(2)] == [code] * 2
    assert client.say(b"NOOP").startswith("250")
    assert sidecar.stored() == []


def test_recipients_that_do_not_exist_are_not_told_apart_after_data(sidecar):
    client = sidecar.connect(lmtp=True)
    client.open_data(b"known@after.test", b"nobody@after.test")
    client.send(b"hello\r\n.\r\n")
    assert [client.reply()[:9] for _ in range(2)] == ["550 5.1.1"] * 2
    assert sidecar.stored() == []


def test_a_discarded_recipient_is_answered_like_any_other(sidecar):
    client = sidecar.connect(lmtp=True)
    client.open_data(b"ann@example.test", b"nobody@discard.test")
    client.send(b"hello\r\n.\r\n")
    assert [client.reply()[:3] for _ in range(2)] == ["250"] * 2


def test_data_without_a_recipient_is_503_in_lmtp(sidecar):
    client = sidecar.connect(lmtp=True)
    client.reply()
    client.say(b"LHLO client.test")
    client.say(b"MAIL FROM:<s@sender.test>")
    client.say(b"RCPT TO:<nobody@example.test>")
    assert client.say(b"DATA") == "503 5.5.1 Say RCPT first: no recipient was accepted"


def test_data_that_never_ends_is_answered_once(start_sidecar):
    client = start_sidecar(max_message_bytes=1000).connect(lmtp=True)
    client.open_data(b"ann@example.test", b"bob@example.test")
    client.send((b"x" * 98 + b"\r\n") * 30)
    assert client.reply().startswith("421 4.3.4")
    assert client.reply_or_reset() == ""


def test_lmtp_goes_over_tls(tls_sidecar):
    client = tls_sidecar.connect(lmtp=True)
    client.reply()
    client.start_tls()
    client.go_to_data(b"ann@example.test", b"bob@example.test")
    client.send(b"hello\r\n.\r\n")
    assert [client.reply()[:3] for _ in range(2)] == ["250"] * 2
    (item,) = tls_sidecar.stored()
    assert b"with LMTPS" in item.raw


def test_a_client_of_the_standard_library_gets_through_lmtp(sidecar):
    address = sidecar.lmtp_address
    with smtplib.LMTP(address.host, address.port, "client.test") as client:
        client.sendmail("s@sender.test", ["ann@example.test"], b"Subject: x\r\n\r\nhello\r\n")
    assert len(sidecar.stored()) == 1


def test_a_stop_ends_both_listeners(sidecar):
    clients = [sidecar.connect(), sidecar.connect(lmtp=True)]
    for client in clients:
        client.reply()
    sidecar.stop()
    assert [client.reply()[:3] for client in clients] == ["421", "421"]
    for lmtp in (False, True):
        with pytest.raises(ConnectionRefusedError):
            sidecar.connect(lmtp=lmtp)
