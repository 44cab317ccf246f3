"""STARTTLS: what it protects, what it forgets, and what becomes of a certificate that changes."""

import os
import smtplib
import socket
import ssl
import struct
import threading

import pytest
from cryptography.hazmat.primitives import serialization as pem
from structlog.testing import capture_logs

from app.core.errors import BadSetting
from app.inbound.smtpd.tls import Certificate

QUEUED = "250 2.6.0 Queued as "
IN_THE_CLEAR = b"EHLO evil.test\r\nMAIL FROM:<evil@sender.test>\r\nRCPT TO:<bob@example.test>\r\n"


def subject(client) -> bytes:
    """Which certificate the server has shown."""
    return client.socket.getpeercert(binary_form=True)


def prefix_of(item) -> str:
    return item.raw[: item.metadata.prefix_size_bytes].decode()


def test_mail_is_taken_over_tls_and_its_trace_says_so(tls_sidecar):
    client = tls_sidecar.connect()
    client.reply()
    client.start_tls()
    client.go_to_data()
    client.send(b"hello\r\n.\r\n")
    assert client.reply().startswith(QUEUED)
    assert client.say(b"QUIT").startswith("221")
    assert client.reply() == ""
    (item,) = tls_sidecar.stored()
    cipher, _, bits = client.socket.cipher()
    assert "with ESMTPS" in prefix_of(item)
    assert f"(version=TLSv1.3 cipher={cipher} bits={bits})" in prefix_of(item)
    assert item.raw.endswith(b"hello\r\n")


@pytest.mark.parametrize(
    ("hello", "parameters", "protocol"),
    [
        (b"HELO", b"", "with SMTP (version=TLS"),
        (b"EHLO", b" SMTPUTF8", "with UTF8SMTPS (version=TLS"),
    ],
)
def test_the_trace_names_the_protocol_when_it_is_inside_tls(
    tls_sidecar, hello, parameters, protocol
):
    client = tls_sidecar.connect()
    client.reply()
    client.start_tls()
    client.say(hello + b" client.test")
    client.say(b"MAIL FROM:<s@sender.test>" + parameters)
    client.say(b"RCPT TO:<ann@example.test>")
    client.say(b"DATA")
    client.send(b"hello\r\n.\r\n")
    assert client.reply().startswith(QUEUED)
    (item,) = tls_sidecar.stored()
    assert protocol in " ".join(prefix_of(item).split())


def test_large_mails_pass_through_tls_whole(tls_sidecar):
    body = (b"x" * 98 + b"\r\n") * 20_000
    client = tls_sidecar.connect()
    client.reply()
    client.start_tls()
    for _ in range(2):
        client.go_to_data()
        client.send(body + b".\r\n")
        assert client.reply().startswith(QUEUED)
    assert [item.raw.endswith(b"\r\n" + body) for item in tls_sidecar.stored()] == [True, True]


def test_starttls_is_not_offered_without_a_certificate(sidecar):
    client = sidecar.connect()
    client.reply()
    assert "STARTTLS" not in client.say(b"EHLO client.test")
    assert client.say(b"STARTTLS") == "502 5.5.1 Command not implemented"


def test_starttls_is_no_longer_offered_inside_tls(tls_sidecar):
    client = tls_sidecar.connect()
    client.reply()
    assert "STARTTLS" in client.say(b"EHLO client.test").replace("-", " ").split()
    client.start_tls()
    assert "STARTTLS" not in client.say(b"EHLO client.test")
    assert client.say(b"STARTTLS") == "503 5.5.1 TLS is active already"
    assert client.say(b"NOOP").startswith("250")


def test_starttls_comes_after_hello_and_has_no_argument(tls_sidecar):
    client = tls_sidecar.connect()
    client.reply()
    assert client.say(b"STARTTLS") == "503 5.5.1 Say EHLO first"
    client.say(b"EHLO client.test")
    assert client.say(b"STARTTLS now") == "501 5.5.4 Syntax: STARTTLS"
    assert client.say(b"NOOP").startswith("250")


def test_all_that_was_said_before_tls_is_forgotten(tls_sidecar):
    client = tls_sidecar.connect()
    client.send(IN_THE_CLEAR)
    assert [client.reply()[:3] for _ in range(4)] == ["220", "250", "250", "250"]
    assert client.say(b"STARTTLS").startswith("220")
    client.shake_hands()
    assert client.say(b"DATA") == "503 5.5.1 Say EHLO first"
    assert client.say(b"MAIL FROM:<s@sender.test>") == "503 5.5.1 Say EHLO first"
    client.go_to_data()
    client.send(b"hello\r\n.\r\n")
    assert client.reply().startswith(QUEUED)
    (item,) = tls_sidecar.stored()
    assert item.metadata.client_name == "client.test"
    assert item.metadata.envelope.rcpt_to == ("ann@example.test",)


def test_errors_are_not_washed_off_by_tls(start_sidecar, certificate):
    client = start_sidecar(certificate, max_errors=3).connect()
    client.reply()
    client.say(b"NONSENSE")
    client.say(b"NONSENSE")
    client.start_tls()
    assert client.say(b"NONSENSE") == "421 4.7.0 Too many errors"


@pytest.mark.parametrize("injected", [IN_THE_CLEAR, b"EHLO evil.test\r\n", b"N", b"\r\n", b"\x16"])
def test_whoever_sends_on_behind_starttls_is_disconnected(tls_sidecar, injected):
    client = tls_sidecar.connect()
    client.reply()
    client.say(b"EHLO client.test")
    client.send(b"STARTTLS\r\n" + injected)
    reply = client.reply()
    assert reply == "554 5.5.1 Nothing may be sent between STARTTLS and its reply"
    assert client.reply_or_reset() == ""
    assert tls_sidecar.stored() == []


def test_what_comes_in_the_clear_while_tls_begins_is_no_command(tls_sidecar):
    client = tls_sidecar.connect()
    client.reply()
    client.say(b"EHLO client.test")
    assert client.say(b"STARTTLS").startswith("220")
    with capture_logs() as logs:
        client.send(IN_THE_CLEAR)
        received = b""
        try:
            while more := client.socket.recv(1000):
                received += more
        except ConnectionResetError:
            pass
        tls_sidecar.wait_until_idle()
    assert b"250" not in received
    assert [log["event"] for log in logs] == ["smtp.tls_failed"]


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01"])
def test_a_handshake_that_takes_too_long_ends_the_connection(start_sidecar, certificate, sent):
    sidecar = start_sidecar(certificate, handshake_timeout_seconds=0.3)
    client = sidecar.connect()
    client.reply()
    client.say(b"EHLO client.test")
    client.say(b"STARTTLS")
    with capture_logs() as logs:
        client.send(sent)
        assert client.reply_or_reset() == ""
        sidecar.wait_until_idle()
    assert [log["event"] for log in logs] == ["smtp.tls_failed"]


def test_a_client_that_does_not_go_on_with_its_handshake_wastes_its_place(tls_sidecar):
    client = tls_sidecar.connect()
    client.reply()
    client.say(b"EHLO client.test")
    client.say(b"STARTTLS")
    (connection,) = tls_sidecar.server._connections
    threading.Event().wait(0.05)
    assert connection.wasted_seconds() > 0.01


def test_a_client_that_leaves_during_the_handshake_leaves_nothing_behind(tls_sidecar):
    for reset in (False, True):
        client = tls_sidecar.connect()
        client.reply()
        client.say(b"EHLO client.test")
        client.say(b"STARTTLS")
        if reset:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        tls_sidecar.wait_until_idle()


def test_a_stop_does_not_speak_into_a_handshake(tls_sidecar):
    client = tls_sidecar.connect()
    client.reply()
    client.say(b"EHLO client.test")
    client.say(b"STARTTLS")
    tls_sidecar.stop()
    assert client.reply_or_reset() == ""


def test_a_stop_is_told_inside_tls(tls_sidecar):
    client = tls_sidecar.connect()
    client.reply()
    client.start_tls()
    client.say(b"EHLO client.test")
    tls_sidecar.stop()
    assert client.reply() == "421 4.3.2 Shutting down, try again soon"
    assert client.reply() == ""


def test_silence_inside_tls_is_timed_out(start_sidecar, certificate):
    client = start_sidecar(certificate, command_timeout_seconds=0.5).connect()
    client.reply()
    client.start_tls()
    assert client.reply() == "421 4.4.2 Timed out waiting for the client"
    assert client.reply() == ""


def test_a_connection_dropped_during_data_over_tls_leaves_nothing(tls_sidecar):
    client = tls_sidecar.connect()
    client.reply()
    client.start_tls()
    client.go_to_data()
    client.send((b"x" * 98 + b"\r\n") * 6000)
    client.close()
    tls_sidecar.wait_until_idle()
    assert tls_sidecar.stored() == []
    assert tls_sidecar.body_files() == []


def test_tls_older_than_1_2_is_refused(tls_sidecar):
    client = tls_sidecar.connect()
    client.reply()
    client.say(b"EHLO client.test")
    client.say(b"STARTTLS")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        context.wrap_socket(client.socket)


def test_a_client_of_the_standard_library_gets_through(tls_sidecar):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with tls_sidecar.smtp() as client:
        client.starttls(context=context)
        client.sendmail("s@sender.test", "ann@example.test", b"Subject: x\r\n\r\nhello\r\n")
        with pytest.raises(smtplib.SMTPNotSupportedError):
            client.starttls(context=context)
    assert len(tls_sidecar.stored()) == 1


def test_a_replaced_certificate_serves_without_a_restart(start_sidecar, certificate_files, clock):
    sidecar = start_sidecar(Certificate(*certificate_files(), clock))

    def shown() -> bytes:
        client = sidecar.connect()
        client.reply()
        client.start_tls()
        return subject(client)

    first = shown()
    certificate_files("new.example.test")
    assert shown() == first
    clock.moved_seconds += 2
    second = shown()
    assert second != first
    clock.moved_seconds += 2
    assert shown() == second


def test_a_broken_pair_keeps_the_last_good_one_until_it_is_whole(certificate_files, clock):
    chain, key = certificate_files()
    certificate = Certificate(chain, key, clock)
    good = certificate.context()
    old_key = key.read_bytes()
    certificate_files("new.example.test")
    new_key = key.read_bytes()
    key.write_bytes(old_key)
    with capture_logs() as logs:
        for _ in range(3):
            clock.moved_seconds += 3
            assert certificate.context() is good
    assert [log["event"] for log in logs] == ["smtp.certificate_kept"]
    assert "PRIVATE" not in str(logs)

    key.write_bytes(new_key)
    clock.moved_seconds += 3
    with capture_logs() as logs:
        assert certificate.context() is not good
    assert [log["event"] for log in logs] == ["smtp.certificate_loaded"]


def test_a_missing_file_keeps_the_last_good_pair(certificate_files, clock):
    chain, key = certificate_files()
    certificate = Certificate(chain, key, clock)
    good = certificate.context()
    key.unlink()
    with capture_logs() as logs:
        for _ in range(3):
            clock.moved_seconds += 3
            assert certificate.context() is good
    assert [log["event"] for log in logs] == ["smtp.certificate_kept"]


def test_a_file_replaced_by_rename_is_noticed_though_its_time_is_the_same(certificate_files, clock):
    chain, key = certificate_files()
    certificate = Certificate(chain, key, clock)
    good = certificate.context()
    stamps = [path.stat().st_mtime_ns for path in (chain, key)]
    certificate_files("new.example.test")
    for path, stamp in zip((chain, key), stamps, strict=True):
        fresh = path.with_suffix(".new")
        fresh.write_bytes(path.read_bytes())
        os.utime(fresh, ns=(stamp, stamp))
        fresh.rename(path)
    clock.moved_seconds += 3
    assert certificate.context() is not good


@pytest.mark.parametrize("broken", ["missing", "empty", "garbage", "foreign", "folder"])
def test_a_pair_that_is_none_stops_the_start_with_one_line(certificate_files, clock, broken):
    chain, key = certificate_files()
    if broken == "missing":
        chain.unlink()
    elif broken == "folder":
        key.unlink()
        key.mkdir()
    elif broken == "foreign":
        stale = key.read_bytes()
        certificate_files("new.example.test")
        key.write_bytes(stale)
    else:
        key.write_bytes(b"" if broken == "empty" else b"-----BEGIN PRIVATE KEY-----\nx\n")
    with pytest.raises(BadSetting, match=r"\ASMTP_TLS_CERT, SMTP_TLS_KEY: [^\n]+\.\Z"):
        Certificate(chain, key, clock)


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(certificate_files, clock):
    chain, key = certificate_files()
    loaded = pem.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        loaded.private_bytes(
            pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.BestAvailableEncryption(b"hidden")
        )
    )
    with pytest.raises(BadSetting):
        Certificate(chain, key, clock)
