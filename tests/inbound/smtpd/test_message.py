"""What is sent after 354, and what of it is in the spool after which reply."""

import smtplib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.errors import StorageFull, Unavailable

BODY = b"Subject: x\r\n\r\nhello\r\n"
QUEUED = "250 2.6.0 Queued as "


def received(item) -> bytes:
    """The item's bytes without our trace fields."""
    return item.raw[item.metadata.prefix_size_bytes :]


def test_a_mail_is_stored_byte_for_byte_under_its_trace_fields(sidecar):
    client = sidecar.connect()
    client.open_data(b"Ann+x@Example.Test", b"bob@example.test", b"bob@example.test")
    client.send(b"Subject: \0\xff\r\n\r\n..dot\r\n" + b"x" * 5000 + b"\r\n\r\n.\r\n")
    reply = client.reply()

    (item,) = sidecar.stored()
    metadata = item.metadata
    assert reply == f"{QUEUED}{metadata.item_id}"
    assert received(item) == b"Subject: \0\xff\r\n\r\n.dot\r\n" + b"x" * 5000 + b"\r\n\r\n"
    assert metadata.envelope.mail_from == "s@sender.test"
    assert metadata.envelope.rcpt_to == ("Ann+x@Example.Test", "bob@example.test")
    assert (metadata.source, metadata.source_id) == ("smtp", "")
    assert (metadata.client_address, metadata.client_name) == ("127.0.0.1", "client.test")
    assert metadata.received_at == sidecar.clock.now()
    assert metadata.trace_id != metadata.item_id

    prefix = item.raw[: metadata.prefix_size_bytes].decode()
    first, second = prefix.index("Return-Path: <s@sender.test>\r\n"), prefix.index("\r\nReceived: ")
    assert first == 0 < second
    assert prefix.endswith("\r\n")
    assert "\r\n\r\n" not in prefix
    for part in ("client.test", "127.0.0.1", "mx.example.test", "ESMTP", str(metadata.item_id)):
        assert part in prefix
    assert "bob@" not in prefix
    assert "Ann" not in prefix


def test_nothing_is_sent_before_it_is_stored(sidecar):
    sidecar.writer.may_put.clear()
    client = sidecar.connect()
    client.open_data()
    client.send(BODY + b".\r\n")
    assert sidecar.writer.put_started.wait(10)
    client.socket.settimeout(0.1)
    with pytest.raises(TimeoutError):
        client.socket.recv(1)
    client.socket.settimeout(10)
    sidecar.writer.may_put.set()
    assert client.socket.recv(1000).decode().startswith(QUEUED)


def test_one_connection_sends_several_mails(sidecar):
    with sidecar.smtp() as client:
        for number in range(3):
            client.sendmail("s@sender.test", "ann@example.test", BODY + b"%d\r\n" % number)
    assert [received(item)[-3:] for item in sidecar.stored()] == [b"0\r\n", b"1\r\n", b"2\r\n"]
    assert len({item.metadata.trace_id for item in sidecar.stored()}) == 3


@pytest.mark.parametrize(
    ("hello", "parameters", "protocol"),
    [(b"HELO", b"", "SMTP"), (b"EHLO", b"", "ESMTP"), (b"EHLO", b" SMTPUTF8", "UTF8SMTP")],
)
def test_the_trace_names_the_protocol(sidecar, hello, parameters, protocol):
    client = sidecar.connect()
    client.reply()
    client.say(hello + b" client.test")
    client.say(b"MAIL FROM:<s@sender.test>" + parameters)
    client.say(b"RCPT TO:<ann@example.test>")
    client.say(b"DATA")
    assert client.say(b".").startswith("250")
    prefix = sidecar.stored()[0].raw.decode()
    assert f" with {protocol} id" in " ".join(prefix.split())


def test_a_bounce_has_an_empty_return_path(sidecar):
    with sidecar.smtp() as client:
        client.sendmail("", "ann@example.test", BODY)
    (item,) = sidecar.stored()
    assert item.metadata.envelope.mail_from == ""
    assert item.raw.startswith(b"Return-Path: <>\r\n")


def test_an_international_address_is_taken(sidecar):
    with sidecar.smtp() as client:
        client.sendmail(
            "frère@sender.test",
            "josé@bücher.test",
            BODY,
            mail_options=["SMTPUTF8", "BODY=8BITMIME"],
        )
    (item,) = sidecar.stored()
    assert item.metadata.envelope.mail_from == "frère@sender.test"
    assert item.metadata.envelope.rcpt_to == ("josé@bücher.test",)
    assert item.raw.startswith("Return-Path: <frère@sender.test>\r\n".encode())


def test_an_empty_message_is_a_message(sidecar):
    client = sidecar.connect()
    client.open_data()
    assert client.say(b".").startswith(QUEUED)
    assert [received(item) for item in sidecar.stored()] == [b""]


@given(
    body=st.lists(
        st.sampled_from([b"", b".", b"..", b"a", b".a", b"\xe9\0", b"x" * 99]), max_size=8
    ),
    size=st.sampled_from([1, 2, 3, 4, 5, 1000]),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_lines_arrive_identical_in_any_pieces(sidecar, body, size):
    data = b"".join(line + b"\r\n" for line in body)
    stuffed = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in body)
    client = sidecar.connect()
    client.open_data()
    stuffed += b".\r\n"
    for start in range(0, len(stuffed), size):
        client.send(stuffed[start : start + size])
    assert client.reply().startswith(QUEUED)
    client.close()
    assert received(sidecar.stored()[-1]) == data


@pytest.mark.parametrize(
    "ending", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r"]
)
def test_a_smuggled_message_is_refused_with_the_one_that_carries_it(sidecar, ending):
    client = sidecar.connect()
    client.open_data()
    client.send(BODY + b"x" + ending + b"MAIL FROM:<evil@sender.test>\r\n")
    client.send(b"RCPT TO:<ann@example.test>\r\nDATA\r\nsmuggled\r\n.\r\nNOOP\r\n")
    assert client.reply().startswith("550 5.5.2")
    assert client.reply() == "250 2.0.0 OK"
    assert sidecar.stored() == []


@pytest.mark.parametrize("line", [b"a\nb", b"a\rb", b"a\r\r\nb", b"\n", b"\r"])
@pytest.mark.parametrize("size", [10, 600_000])
def test_a_bare_cr_or_lf_is_refused(sidecar, line, size):
    client = sidecar.connect()
    client.open_data()
    client.send((b"x" * 98 + b"\r\n") * (size // 100) + line + b"\r\n.\r\n")
    assert client.reply() == "550 5.5.2 Lines must end with CRLF; bare CR or LF is refused"
    assert sidecar.stored() == []
    assert sidecar.body_files() == []


@pytest.mark.parametrize("size", [250_000, 270_000, 1_048_576, 4_000_000])
def test_a_large_message_arrives_whole(sidecar, size):
    data = (b".%069d\r\n" * (size // 72 + 1) % tuple(range(size // 72 + 1)))[: size - 2] + b"\r\n"
    client = sidecar.connect()
    client.open_data()
    client.send(data.replace(b"\r\n.", b"\r\n..").replace(b".", b"..", 1) + b".\r\n")
    assert client.reply().startswith(QUEUED)
    (item,) = sidecar.stored()
    assert received(item) == data
    assert len(sidecar.body_files()) == (size > 256 * 1024)


@pytest.mark.parametrize("size", [4_000_001, 6_000_000])
def test_a_message_over_the_limit_is_refused_at_its_end(sidecar, size):
    client = sidecar.connect()
    client.open_data()
    client.send(b"x" * (size - 2) + b"\r\n.\r\nNOOP\r\n")
    assert client.reply() == "552 5.3.4 Message over the limit of 4000000 bytes"
    assert client.reply().startswith("250")
    assert sidecar.stored() == []
    assert sidecar.body_files() == []


def test_transparency_dots_do_not_count_towards_the_limit(start_sidecar):
    sidecar = start_sidecar(max_message_bytes=30)
    client = sidecar.connect()
    client.open_data()
    client.send(b"..\r\n" * 10 + b".\r\n")
    assert client.reply().startswith(QUEUED)


def test_a_message_that_goes_on_far_over_the_limit_is_cut_off(start_sidecar):
    sidecar = start_sidecar(max_message_bytes=1000)
    client = sidecar.connect()
    client.open_data()
    client.send(b"x" * 2100)
    assert client.reply().startswith("421 4.3.4")
    assert client.reply() == ""


@pytest.mark.parametrize("size", [1000, 600_000])
@pytest.mark.parametrize(
    ("fault", "reply"),
    [
        (StorageFull("full"), "452 4.3.1 Storage is full, try again later"),
        (Unavailable("down"), "451 4.3.0 Not stored, try again later"),
    ],
)
def test_a_spool_that_fails_is_told_to_the_client_who_can_try_again(sidecar, size, fault, reply):
    data = b"x" * 98 + b"\r\n"
    client = sidecar.connect()
    client.open_data()
    sidecar.writer.fault = fault
    client.send(data * (size // 100) + b".\r\n")
    assert client.reply() == reply
    assert sidecar.stored() == []

    sidecar.writer.fault = None
    client.say(b"MAIL FROM:<s@sender.test>")
    client.say(b"RCPT TO:<ann@example.test>")
    client.say(b"DATA")
    client.send(data + b".\r\n")
    assert client.reply().startswith(QUEUED)
    assert [received(item) for item in sidecar.stored()] == [data]


def test_a_disk_that_fills_up_during_data_is_told_at_its_end(sidecar):
    client = sidecar.connect()
    client.open_data()
    sidecar.writer.body_fault = OSError(28, "No space left on device")
    client.send(b"x" * 600_000 + b"\r\n.\r\nNOOP\r\n")
    assert client.reply().startswith("452 4.3.1")
    assert client.reply().startswith("250")
    assert sidecar.stored() == []


def test_an_unforeseen_error_closes_the_connection_and_accepts_nothing(sidecar):
    client = sidecar.connect()
    client.open_data()
    sidecar.writer.fault = ZeroDivisionError("unforeseen")
    client.send(BODY + b".\r\n")
    assert client.reply() == "421 4.3.0 Internal error, try again later"
    assert client.reply() == ""
    assert sidecar.connect().reply().startswith("220")


def test_a_mail_for_nobody_of_a_discarding_domain_is_stored_like_any_other(sidecar):
    """Ingestion discards it: here it must take as long, and need as much room, as any other."""
    with sidecar.smtp() as client:
        refused = client.sendmail("s@sender.test", ["x@discard.test", "y@discard.test"], BODY)
    assert refused == {}
    (item,) = sidecar.stored()
    assert item.metadata.envelope.rcpt_to == ("x@discard.test", "y@discard.test")


@pytest.mark.parametrize("recipient", [b"known@discard.test", b"nobody@discard.test"])
def test_a_failing_disk_does_not_tell_who_exists(sidecar, recipient):
    client = sidecar.connect()
    client.open_data(recipient)
    sidecar.writer.fault = StorageFull("full")
    client.send(BODY + b".\r\n")
    assert client.reply().startswith("452 4.3.1")


@pytest.mark.parametrize("recipients", [["x@after.test"], ["known@after.test", "x@after.test"]])
def test_an_unknown_recipient_is_refused_after_data_without_being_named(sidecar, recipients):
    with sidecar.smtp() as client, pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail("s@sender.test", recipients, BODY)
    assert refused.value.smtp_code == 550
    assert refused.value.smtp_error == (
        b"5.1.1 Not every recipient exists; nobody was sent this message"
    )
    assert sidecar.stored() == []


@pytest.mark.parametrize(
    ("data", "reply"),
    [(b"a\nb\r\n", "550 5.5.2"), (b"x" * 4_000_001 + b"\r\n", "552 5.3.4")],
)
@pytest.mark.parametrize("domain", [b"after.test", b"discard.test"])
def test_other_refusals_do_not_tell_who_exists(sidecar, data, reply, domain):
    replies = set()
    for name in (b"known@", b"unknown@"):
        client = sidecar.connect()
        client.open_data(name + domain)
        client.send(data + b".\r\n")
        replies.add(client.reply())
    assert len(replies) == 1
    assert replies.pop().startswith(reply)
    assert sidecar.stored() == []
