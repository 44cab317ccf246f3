"""A domain may take smaller messages than the gate does, and says so of all its addresses alike."""

from datetime import timedelta

import pytest

from app.directory.snapshot import DirectorySnapshot, DomainEntry, MailboxEntry

LIMIT = 1000
TOO_LARGE = f"552 5.3.4 Message over the limit of {LIMIT} bytes"


@pytest.fixture
def small(sidecar):
    domains = {
        "brief.test": DomainEntry("accept_and_discard", max_message_bytes=LIMIT),
        "longer.test": DomainEntry("accept_and_discard", max_message_bytes=2 * LIMIT),
        "example.test": DomainEntry(),
    }
    mailboxes = {
        "known@brief.test": MailboxEntry(),
        "over@brief.test": MailboxEntry(sidecar.clock.now() - timedelta(seconds=1)),
        "ann@example.test": MailboxEntry(),
    }
    sidecar.save_snapshot(DirectorySnapshot(8, domains, mailboxes))
    return sidecar


def message(size_bytes: int) -> bytes:
    return b"x" * (size_bytes - 2) + b"\r\n.\r\n"


@pytest.mark.parametrize("name", [b"known", b"over", b"unknown", b"known+tag"])
def test_declared_size_is_refused_for_each_address_alike(small, name):
    client = small.connect()
    client.reply()
    client.say(b"EHLO client.test")
    assert client.say(b"MAIL FROM:<s@sender.test> SIZE=1001").startswith("250")
    assert client.say(b"RCPT TO:<" + name + b"@brief.test>") == TOO_LARGE
    assert client.say(b"RCPT TO:<ann@example.test>").startswith("250")
    assert client.say(b"RSET").startswith("250")
    assert client.say(b"MAIL FROM:<s@sender.test> SIZE=1000").startswith("250")
    assert client.say(b"RCPT TO:<" + name + b"@brief.test>").startswith("250")


@pytest.mark.parametrize("name", [b"known", b"over", b"unknown"])
def test_size_that_was_not_declared_is_refused_after_data_for_each_address_alike(small, name):
    client = small.connect()
    client.open_data(name + b"@brief.test")
    client.send(message(LIMIT + 1))
    assert client.reply() == TOO_LARGE
    client.go_to_data(name + b"@brief.test")
    client.send(message(LIMIT))
    assert client.reply().startswith("250")
    assert len(small.stored()) == 1


@pytest.mark.parametrize(
    ("recipients", "limit"),
    [
        ((b"known@brief.test", b"a@longer.test"), 2 * LIMIT),
        ((b"a@longer.test", b"known@brief.test"), 2 * LIMIT),
        ((b"known@brief.test", b"ann@example.test"), None),
        ((b"ann@example.test", b"known@brief.test"), None),
    ],
)
def test_most_generous_recipient_decides_when_there_are_several(small, recipients, limit):
    client = small.connect()
    client.open_data(*recipients)
    client.send(message(2 * LIMIT + 1))
    assert client.reply().startswith("552" if limit else "250")
    client.go_to_data(*recipients)
    client.send(message(2 * LIMIT))
    assert client.reply().startswith("250")


def test_far_larger_message_is_still_told_that_it_is_too_large(small):
    client = small.connect()
    client.open_data(b"known@brief.test")
    client.send(message(100 * LIMIT))
    assert client.reply() == TOO_LARGE
