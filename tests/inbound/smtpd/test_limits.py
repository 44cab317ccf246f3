"""What a client hears that asks for too much, and that others do not."""

import threading

import pytest

from app.inbound.smtpd import replies
from app.inbound.smtpd.body import SPILL_BYTES, BodyMemory
from app.inbound.smtpd.connections import ConnectionLimits
from app.inbound.smtpd.rates import RateLimits
from app.settings import Networks
from app.storage.spool.backlog_bound import BacklogFull

NOBODY = Networks()
MAIL = b"MAIL FROM:<s@sender.test>"
RCPT = b"RCPT TO:<ann@example.test>"
DATA = (MAIL, RCPT, b"DATA")


def start(start_sidecar, **limits):
    return start_sidecar(trusted=NOBODY, **limits)


def greeted(sidecar, address="127.0.0.1"):
    client = sidecar.connect(address)
    assert client.reply().startswith("220")
    assert client.say(b"EHLO client.test").startswith("250")
    return client


def send(client) -> str:
    """The reply to one small message, or the first that was a refusal."""
    for command in DATA:
        if not (reply := client.say(command)).startswith(("250", "354")):
            return reply
    return client.say(b"hello\r\n.")


def counted(sidecar, reply) -> float:
    return sidecar.counted().get(
        f"pillarbox_smtp_replies_total{{{reply.cause}}}{{{reply.code}}}", 0
    )


def heard(reply) -> str:
    return f"{reply.code} {reply.enhanced_code} {reply.text}"


@pytest.mark.parametrize(
    ("limits", "last", "reply"),
    [
        (ConnectionLimits(max_connections=2), "127.0.1.1", replies.TOO_MANY_CONNECTIONS),
        (ConnectionLimits(max_per_host=2), "127.0.0.2", replies.TOO_MANY_HOST_CONNECTIONS),
        (ConnectionLimits(max_per_network=2), "127.0.0.3", replies.TOO_MANY_NETWORK_CONNECTIONS),
    ],
)
def test_one_connection_too_many_hears_421_instead_of_a_greeting(
    start_sidecar, limits, last, reply
):
    sidecar = start(start_sidecar, connections=limits)
    first = greeted(sidecar, "127.0.0.2")
    greeted(sidecar, "127.0.0.2")
    refused = sidecar.connect(last)
    assert refused.reply() == heard(reply)
    assert refused.reply() == ""
    assert sidecar.server.connections == 2
    assert counted(sidecar, reply) == 1
    assert first.say(b"NOOP").startswith("250")
    first.say(b"QUIT")
    assert first.reply() == ""
    sidecar.wait_until(lambda: sidecar.server.connections == 1)
    greeted(sidecar, last)


@pytest.mark.parametrize(
    ("limits", "reply"),
    [
        (RateLimits(connections_per_host=2), replies.HOST_CONNECTION_RATE),
        (RateLimits(connections_per_network=2), replies.NETWORK_CONNECTION_RATE),
    ],
)
def test_connecting_too_often_is_421_and_closes(start_sidecar, limits, reply):
    sidecar = start(start_sidecar, rates=limits)
    for _ in range(2):
        greeted(sidecar).say(b"QUIT")
    refused = sidecar.connect()
    assert refused.reply() == heard(reply)
    assert refused.reply() == ""
    assert counted(sidecar, reply) == 1


@pytest.mark.parametrize(
    ("limits", "reply"),
    [
        (RateLimits(messages_per_host=2), replies.HOST_MESSAGE_RATE),
        (RateLimits(recipients_per_host=2), replies.HOST_RECIPIENT_RATE),
        (RateLimits(recipients_per_domain=2), replies.DOMAIN_RECIPIENT_RATE),
    ],
)
def test_mail_that_comes_too_fast_is_deferred_and_that_before_is_kept(start_sidecar, limits, reply):
    sidecar = start(start_sidecar, rates=limits)
    client = greeted(sidecar)
    assert [send(client)[:3] for _ in range(2)] == ["250", "250"]
    assert send(client) == heard(reply)
    assert len(sidecar.stored()) == 2
    assert counted(sidecar, reply) == 1


def test_a_domain_that_gets_too_much_does_not_hold_up_another(start_sidecar):
    sidecar = start(start_sidecar, rates=RateLimits(recipients_per_domain=1))
    client = greeted(sidecar)
    client.say(MAIL)
    assert client.say(RCPT).startswith("250")
    assert client.say(b"RCPT TO:<bob@EXAMPLE.test>") == heard(replies.DOMAIN_RECIPIENT_RATE)
    assert client.say(b"RCPT TO:<any@all.test>").startswith("250")
    client.say(b"DATA")
    assert client.say(b"hello\r\n.").startswith("250")
    (item,) = sidecar.stored()
    assert item.metadata.envelope.rcpt_to == ("ann@example.test", "any@all.test")


@pytest.mark.parametrize("limit", ["max_connection_messages", "max_connection_recipients"])
def test_a_connection_that_sent_enough_is_ended_with_421(start_sidecar, limit):
    sidecar = start(start_sidecar, **{limit: 2})
    client = greeted(sidecar)
    assert [send(client)[:3] for _ in range(2)] == ["250", "250"]
    assert send(client) == heard(replies.CONNECTION_USED_UP)
    assert client.reply() == ""
    assert send(greeted(sidecar)).startswith("250")
    assert len(sidecar.stored()) == 3


def test_a_trusted_relay_is_counted_and_not_refused(start_sidecar):
    sidecar = start_sidecar(
        connections=ConnectionLimits(max_per_host=1, max_per_network=1),
        rates=RateLimits(
            connections_per_host=1,
            connections_per_network=1,
            messages_per_host=1,
            recipients_per_host=1,
            recipients_per_domain=1,
        ),
        max_connection_messages=1,
        max_connection_recipients=1,
    )
    clients = [greeted(sidecar) for _ in range(3)]
    assert [send(client)[:3] for client in clients * 3] == ["250"] * 9


@pytest.mark.parametrize(
    "command", [b"NOOP", b"RSET", b"HELP", b"VRFY a", b"EHLO again", b"EXPN a"]
)
def test_commands_that_bring_no_mail_are_limited(start_sidecar, command):
    sidecar = start_sidecar(max_fruitless_commands=5)
    client = greeted(sidecar)
    assert not any(client.say(command).startswith("421") for _ in range(4))
    assert client.say(command) == heard(replies.TOO_MANY_COMMANDS)
    assert client.reply() == ""


def test_recipients_that_are_refused_are_limited_too(start_sidecar):
    client = greeted(start_sidecar(max_fruitless_commands=5))
    client.say(MAIL)
    unknown = [client.say(b"RCPT TO:<%d@example.test>" % number)[:3] for number in range(5)]
    assert unknown == ["550", "550", "550", "550", "421"]


def test_trying_until_we_can_take_mail_again_is_no_offence(start_sidecar):
    sidecar = start_sidecar(max_fruitless_commands=5)
    client = greeted(sidecar)
    sidecar.fill_disk()
    for _ in range(20):
        assert client.say(MAIL) == heard(replies.STORAGE_FULL)
        assert client.say(b"RSET").startswith("250")
    sidecar.space_fault = None
    assert send(client).startswith("250")


def test_a_message_that_is_taken_begins_the_count_anew(start_sidecar):
    client = greeted(start_sidecar(max_fruitless_commands=5))
    for _ in range(5):
        assert [client.say(b"NOOP")[:3] for _ in range(3)] == ["250"] * 3
        assert send(client).startswith("250")


@pytest.mark.parametrize("dribble", [b"", b"NOOP\r\n", b"N"])
def test_who_never_says_hello_is_timed_out_whatever_else_it_says(start_sidecar, dribble):
    client = start_sidecar(hello_timeout_seconds=0.4).connect()
    client.reply()
    ended = threading.Event()

    def talk() -> None:
        while not ended.wait(0.05):
            try:
                client.send(dribble)
            except OSError:
                return

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        while (reply := client.reply_or_reset()).startswith("250"):
            pass
    finally:
        ended.set()
        thread.join()
    assert reply in (heard(replies.TIMED_OUT), "")


def test_who_said_hello_has_all_the_time_between_commands(start_sidecar):
    client = greeted(start_sidecar(hello_timeout_seconds=0.2))
    threading.Event().wait(0.5)
    assert client.say(b"NOOP").startswith("250")


def test_slow_clients_lose_their_places_to_one_that_has_mail(start_sidecar, monkeypatch):
    monkeypatch.setattr("app.inbound.smtpd.connections._WASTED_SECONDS", 0.2)
    sidecar = start_sidecar(connections=ConnectionLimits(max_connections=30))
    slow = [sidecar.connect(f"127.0.{number % 3}.{number + 2}") for number in range(30)]
    for number, client in enumerate(slow):
        assert client.reply().startswith("220")
        client.send((b"", b"EHL", b"EHLO slow\r\n" + b"\r\n".join(DATA) + b"\r\nx")[number % 3])
    threading.Event().wait(0.3)
    for _ in range(10):
        good = greeted(sidecar)
        assert send(good).startswith("250")
        good.say(b"QUIT")
    assert len(sidecar.stored()) == 10
    assert sidecar.server.connections <= 30
    assert counted(sidecar, replies.PLACE_TAKEN) >= 1
    assert sidecar.connect("127.0.0.2").reply()[:3] in ("220", "421")


def test_hundreds_of_slow_clients_do_not_stop_a_good_one(start_sidecar):
    sidecar = start_sidecar()
    slow = [sidecar.connect(f"127.0.{number // 250}.{number % 250 + 2}") for number in range(300)]
    for number, client in enumerate(slow):
        client.send((b"", b"EHL", b"EHLO slow\r\n" + b"\r\n".join(DATA) + b"\r\nx")[number % 3])
    good = greeted(sidecar)
    for _ in range(20):
        for client in slow[::10]:
            client.send(b"x")
        assert send(good).startswith("250")
    assert len(sidecar.stored()) == 20
    assert sidecar.server.connections == 301


def test_mail_is_deferred_while_too_much_waits_and_taken_when_it_was_read(sidecar):
    client = greeted(sidecar)
    sidecar.space_fault = BacklogFull("Too much waits.")
    assert client.say(MAIL) == heard(replies.BACKLOG_FULL)
    assert counted(sidecar, replies.BACKLOG_FULL) == 1
    sidecar.space_fault = None
    assert send(client).startswith("250")


def test_all_bodies_together_hold_little_in_memory(start_sidecar):
    sidecar = start_sidecar()
    memory = sidecar.server._handler._memory
    clients = [sidecar.connect() for _ in range(8)]
    memory.held_bytes += 25 * 1024 * 1024
    for client in clients:
        client.open_data()
        client.send((b"x" * 78 + b"\r\n") * 300)
    sidecar.wait_until(lambda: len(sidecar.body_files()) == 8)
    memory.held_bytes -= 25 * 1024 * 1024
    for client in clients:
        assert client.say(b".").startswith("250")
    assert len(sidecar.stored()) == 8
    assert memory.held_bytes == 0


@pytest.mark.parametrize("size_bytes", [10, SPILL_BYTES * 3])
def test_no_memory_is_charged_once_a_message_is_over(sidecar, size_bytes):
    line = b"x" * 98 + b"\r\n"
    for ending in (b".\r\n", b"bare\nline\r\n.\r\n", None):
        client = sidecar.connect()
        client.open_data()
        client.send(line * (size_bytes // 100))
        if ending is None:
            client.close()
        else:
            client.send(ending)
            client.reply()
            client.say(b"QUIT")
    sidecar.wait_until_idle()
    assert sidecar.server._handler._memory == BodyMemory(0)
