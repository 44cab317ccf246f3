"""Connections that are slow, break off, or are ended from our side."""

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from app.core.errors import BadSetting
from app.inbound.smtpd.limits import SmtpLimits

QUEUED = "250 2.6.0 Queued as "
LARGE = (b"x" * 98 + b"\r\n") * 6000


@pytest.fixture
def logs(sidecar) -> Iterator[list[EventDict]]:
    """What is logged from here on."""
    with capture_logs() as logs:
        yield logs


def reset(client) -> None:
    """Closes as a crash does: with RST, and without a word."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("leave", [reset, lambda client: client.close()])
@pytest.mark.parametrize("data", [b"", b"Subject: x\r\n\r\n", LARGE, LARGE + b".\r"])
def test_a_connection_dropped_during_data_leaves_nothing(sidecar, leave, data):
    client = sidecar.connect()
    client.open_data()
    client.send(data)
    leave(client)
    sidecar.wait_until_idle()
    assert sidecar.stored() == []
    assert sidecar.body_files() == []


@pytest.mark.parametrize("leave", [reset, lambda client: client.close()])
def test_a_message_that_came_in_whole_is_stored_though_the_client_left(sidecar, leave, logs):
    sidecar.writer.may_put.clear()
    client = sidecar.connect()
    client.open_data()
    client.send(LARGE + b".\r\n")
    assert sidecar.writer.put_started.wait(10)
    leave(client)
    if leave is reset:
        sidecar.wait_until_reset()
    sidecar.writer.may_put.set()
    sidecar.wait_until_idle()
    (item,) = sidecar.stored()
    assert item.raw.endswith(LARGE)
    assert [log["event"] for log in logs] == ["smtp.accepted"]


def test_an_unforeseen_error_is_logged_once_though_the_client_left(sidecar, logs):
    sidecar.writer.fault = ZeroDivisionError("unforeseen")
    sidecar.writer.may_put.clear()
    client = sidecar.connect()
    client.open_data()
    client.send(b"hello\r\n.\r\n")
    assert sidecar.writer.put_started.wait(10)
    (connection,) = sidecar.server._connections
    reset(client)
    sidecar.wait_until_reset()
    sidecar.writer.may_put.set()
    sidecar.wait_until_idle()
    sidecar.stop()
    assert [log["event"] for log in logs] == ["smtp.failed", "smtp.stopped"]
    assert connection.conversation().exception() is None


def test_a_client_that_closed_its_half_still_gets_its_replies(sidecar):
    client = sidecar.connect()
    client.send(
        b"EHLO client.test\r\nMAIL FROM:<s@sender.test>\r\nRCPT TO:<ann@example.test>\r\n"
        b"DATA\r\nhello\r\n.\r\nQUIT\r\n"
    )
    client.socket.shutdown(socket.SHUT_WR)
    assert [client.reply()[:3] for _ in range(8)] == [
        *("220", "250", "250", "250", "354", "250", "221", "")
    ]
    assert len(sidecar.stored()) == 1


@pytest.mark.parametrize("dribble", [b"", b"NOO"])
def test_a_client_that_sends_no_whole_command_is_timed_out(start_sidecar, dribble):
    client = start_sidecar(command_timeout_seconds=0.3).connect()
    client.reply()
    client.send(dribble)
    assert client.reply() == "421 4.4.2 Timed out waiting for the client"
    assert client.reply() == ""


def test_a_client_that_falls_silent_during_data_is_timed_out(start_sidecar):
    sidecar = start_sidecar(data_timeout_seconds=0.3)
    client = sidecar.connect()
    client.open_data()
    client.send(LARGE)
    assert client.reply() == "421 4.4.2 Timed out waiting for the client"
    sidecar.wait_until_idle()
    assert sidecar.stored() == []
    assert sidecar.body_files() == []


def test_a_client_that_dribbles_its_data_is_timed_out(start_sidecar):
    client = start_sidecar(data_timeout_seconds=0.5).connect()
    client.open_data()
    ended = threading.Event()

    def dribble() -> None:
        while not ended.wait(0.05):
            try:
                client.send(b"x\r\n")
            except OSError:
                return

    thread = threading.Thread(target=dribble)
    thread.start()
    try:
        assert client.reply().startswith("421 4.4.2")
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("patience_seconds", [0.0, -0.001, -5.0])
def test_patience_that_is_over_already_times_the_client_out(sidecar, monkeypatch, patience_seconds):
    monkeypatch.setattr(SmtpLimits, "data_patience", lambda *_: patience_seconds)
    client = sidecar.connect()
    client.send(
        b"EHLO client.test\r\nMAIL FROM:<s@sender.test>\r\nRCPT TO:<ann@example.test>\r\n"
        b"DATA\r\nhello\r\n"
    )
    replies = [client.reply()[:9] for _ in range(6)]
    assert replies[4:] == ["354 End d", "421 4.4.2"]


def test_a_client_that_keeps_talking_is_not_timed_out(start_sidecar):
    client = start_sidecar(command_timeout_seconds=1).connect()
    client.reply()
    for _ in range(4):
        threading.Event().wait(0.3)
        assert client.say(b"NOOP").startswith("250")


def test_a_slow_spool_does_not_count_against_the_client(start_sidecar):
    sidecar = start_sidecar(command_timeout_seconds=1, data_timeout_seconds=1)
    sidecar.writer.may_put.clear()
    client = sidecar.connect()
    client.open_data()
    client.send(b"hello\r\n.\r\n")
    assert sidecar.writer.put_started.wait(10)
    threading.Event().wait(1.2)
    sidecar.writer.may_put.set()
    assert client.reply().startswith(QUEUED)


def test_patience_during_data_ends_when_the_average_is_too_low():
    limits = SmtpLimits(max_message_bytes=0, data_timeout_seconds=300, data_bytes_per_second=1024)
    assert limits.data_patience(0, 0) == 300
    assert limits.data_patience(200, 0) == 100
    assert limits.data_patience(600, 1024 * 400) == 100
    assert limits.data_patience(600, 1024 * 10_000) == 300
    assert limits.data_patience(600, 0) < 0


def test_a_stop_tells_idle_clients_and_takes_no_new_ones(sidecar):
    idle = sidecar.connect()
    idle.reply()
    sidecar.stop()
    assert idle.reply() == "421 4.3.2 Shutting down, try again soon"
    assert idle.reply() == ""
    with pytest.raises(ConnectionRefusedError):
        sidecar.connect()


def test_a_stop_lets_a_transaction_finish(sidecar):
    client = sidecar.connect()
    client.open_data()
    idle = sidecar.connect()
    idle.reply()
    stopping = sidecar.begin_stop(grace_seconds=10)
    assert idle.reply().startswith("421")
    client.send(b"hello\r\n.\r\n")
    assert client.reply().startswith(QUEUED)
    assert client.reply().startswith("421 4.3.2")
    assert client.reply() == ""
    stopping.result(10)
    assert len(sidecar.stored()) == 1


def test_a_stop_does_not_wait_for_ever(sidecar):
    client = sidecar.connect()
    client.open_data()
    client.send(LARGE)
    sidecar.begin_stop(grace_seconds=0.2).result(10)
    assert client.reply_or_reset() == ""
    assert sidecar.stored() == []
    assert sidecar.body_files() == []


def test_a_stop_waits_for_what_is_being_stored(sidecar):
    sidecar.writer.may_put.clear()
    client = sidecar.connect()
    client.open_data()
    client.send(b"hello\r\n.\r\n")
    assert sidecar.writer.put_started.wait(10)
    stopping = sidecar.begin_stop(grace_seconds=0.1)
    assert client.reply_or_reset() == ""
    assert not stopping.done()
    sidecar.writer.may_put.set()
    stopping.result(10)
    assert len(sidecar.stored()) == 1


def test_an_address_that_is_taken_is_one_clear_line(sidecar):
    with pytest.raises(BadSetting, match=r"SMTP_LISTEN: cannot listen on 127.0.0.1:\d+"):
        sidecar.run(sidecar.server.start(sidecar.address))


def test_many_clients_are_served_at_once(sidecar):
    clients = [sidecar.connect() for _ in range(50)]
    for client in clients:
        client.open_data()
    for client in clients:
        client.send(b"hello\r\n.\r\n")
    assert all(client.reply().startswith(QUEUED) for client in clients)
    assert len(sidecar.stored()) == 50


async def test_a_client_that_never_reads_is_dropped_not_waited_for(start_sidecar):
    sidecar = start_sidecar(command_timeout_seconds=0.5)
    client = sidecar.connect()
    client.reply()
    client.socket.setblocking(False)
    loop = asyncio.get_running_loop()
    flooding = asyncio.create_task(_flood(loop, client.socket))
    with pytest.raises(OSError):
        await asyncio.wait_for(flooding, 20)
    sidecar.wait_until_idle()


async def _flood(loop: asyncio.AbstractEventLoop, client: socket.socket) -> None:
    while True:
        await loop.sock_sendall(client, b"HELP\r\n" * 1000)


QUIT_AND_MORE = b"EHLO client.test\r\nQUIT\r\nNOOP\r\n"


def test_a_client_that_talks_on_after_the_last_reply_is_not_reset(sidecar):
    client = sidecar.connect()
    client.send(QUIT_AND_MORE)
    assert [client.reply()[:3] for _ in range(4)] == ["220", "250", "221", ""]
    for _ in range(20):
        client.send(b"NOOP\r\n" * 100)
        sidecar.settle()
    assert client.reply() == ""
    assert len(sidecar.server._connections.lingering) == 1
    assert sidecar.server.connections == 0
    client.close()
    sidecar.wait_until(lambda: not sidecar.server._connections.lingering)


def test_a_client_that_was_told_to_leave_is_not_reset(start_sidecar):
    sidecar = start_sidecar(command_timeout_seconds=0.3)
    client = sidecar.connect()
    client.reply()
    assert client.reply().startswith("421 4.4.2")
    for _ in range(20):
        client.send(b"MAIL FROM:<s@sender.test>\r\n")
        sidecar.settle()
    assert client.reply() == ""


async def test_a_client_that_never_stops_talking_is_cut_off(sidecar):
    client = sidecar.connect()
    client.send(QUIT_AND_MORE)
    client.socket.setblocking(False)
    loop = asyncio.get_running_loop()
    with pytest.raises(OSError):
        await asyncio.wait_for(_flood(loop, client.socket), 4)
    sidecar.wait_until(lambda: not sidecar.server._connections.lingering)


def test_a_client_that_never_leaves_is_cut_off(sidecar, monkeypatch):
    monkeypatch.setattr("app.inbound.smtpd.protocol._LINGER_SECONDS", 0.1)
    client = sidecar.connect()
    client.send(QUIT_AND_MORE)
    assert [client.reply()[:3] for _ in range(4)] == ["220", "250", "221", ""]
    sidecar.wait_until(lambda: not sidecar.server._connections.lingering)


def test_only_so_many_may_linger(sidecar, monkeypatch):
    monkeypatch.setattr("app.inbound.smtpd.connections.MAX_LINGERING", 2)
    clients = [sidecar.connect() for _ in range(3)]
    for client in clients:
        client.send(b"QUIT\r\n")
        assert [client.reply()[:3] for _ in range(3)] == ["220", "221", ""]
    assert len(sidecar.server._connections.lingering) == 2
