"""No message carries another past us, whatever the end of data is disguised as (SMTP smuggling)."""

import pytest

WAYS = ["smtp", "smtp+tls", "lmtp", "lmtp+tls"]
ENVELOPE = b"MAIL FROM:<evil@sender.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n"
SMUGGLED = ENVELOPE + b"Subject: smuggled\r\n\r\nsmuggled\r\n.\r\n"
BARE = "550 5.5.2 Lines must end with CRLF; bare CR or LF is refused"

FAKE_ENDS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\n.\r",
    b"\r.\n",
    b"\r\n.\r\r\n",
    b"\r\n.\n\r\n",
    b"\n\n.\n\n",
    b"\r\r.\r\r",
    b"\r\n\n.\r\n.",
    b"\n\r.\n\r",
    b"\r\0\n.\r\n",
    b"\r\n.\r\0\n",
    b"\r\0.\r\0",
    b"\0\n.\n\0",
    b"\r\n..\n",
    b"\r\n.\x0b\n.\r\n",
]
"""Each has a bare CR or LF, and CRLF dot CRLF in none."""

EARLY_ENDS = [
    b"\r\r\n.\r\n",
    b"\n\r\n.\r\n",
    b"\n.\n\r\n.\r\n",
    b"\r.\r\r\n.\r\n",
    b"\r\n.\r\r\n.\r\n",
    b"\r\0\r\n.\r\n",
]
"""These do end with CRLF dot CRLF. Whoever sent them may have overlooked that."""

NO_ENDS = [
    b"\r\n..\r\n",
    b"\r\n.\0\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n.\0\r\n",
    b"\r\n. \r\n",
    b"\r\n .\r\n",
    b"\r\n.\x1a\r\n",
    b"\r\n.\x0b\r\n",
    b"\r\n.\x0c\r\n",
    b"\x85.\x85",
    b"\xc2\x85.\xc2\x85",
    b"\xe2\x80\xa8.\xe2\x80\xa8",
    b"\r\n...\r\n",
    b"\\r\\n.\\r\\n",
    b"\r\n%0d%0a.%0d%0a\r\n",
]
"""Legal in a message, so each is kept, without the dot that transparency adds."""


@pytest.fixture(params=WAYS)
def connected(request, tls_sidecar):
    """Opens a connection in one of the ways, as far as the reply to DATA."""

    def connect():
        client = tls_sidecar.connect(lmtp=request.param.startswith("lmtp"))
        client.reply()
        if request.param.endswith("tls"):
            client.start_tls()
        client.go_to_data()
        return client

    return connect


@pytest.fixture(params=["at once", "cut"])
def send(request, tls_sidecar):
    """Sends what is around the end in one piece, or with every byte of the end by itself."""

    def send(client, before, end, after) -> None:
        if request.param == "at once":
            client.send(before + end + after)
            return
        client.send(before)
        for position in range(len(end)):
            tls_sidecar.settle()
            client.send(end[position : position + 1])
        tls_sidecar.settle()
        client.send(after)

    return send


def test_what_a_bare_cr_or_lf_would_end_is_refused_whole(tls_sidecar, connected, send):
    for end in FAKE_ENDS:
        client = connected()
        send(client, b"Subject: x\r\n\r\nhello", end, SMUGGLED + b"NOOP\r\nQUIT\r\n")
        replies = [client.reply() for _ in range(4)]
        assert replies == [BARE, "250 2.0.0 OK", "221 2.0.0 Goodbye", ""], end
    assert tls_sidecar.stored() == []


def test_nothing_is_taken_behind_an_end_that_the_sender_may_have_overlooked(
    tls_sidecar, connected, send
):
    for end in EARLY_ENDS:
        client = connected()
        send(client, b"Subject: x\r\n\r\nhello", end, SMUGGLED)
        assert client.reply() == BARE, end
        assert client.reply().startswith("421 4.5.2"), end
        assert client.reply_or_reset() == "", end
    assert tls_sidecar.stored() == []


def test_what_only_looks_like_an_end_is_kept_in_the_one_message(tls_sidecar, connected, send):
    for end in NO_ENDS:
        client = connected()
        send(client, b"hello", end, SMUGGLED + b"NOOP\r\n")
        assert client.reply().startswith("250 2.6.0 Queued as "), end
        assert client.reply() == "250 2.0.0 OK", end
        client.close()
    items = tls_sidecar.stored()
    assert [item.raw[item.metadata.prefix_size_bytes :] for item in items] == [
        b"hello" + end.replace(b"\r\n.", b"\r\n") + SMUGGLED.removesuffix(b".\r\n")
        for end in NO_ENDS
    ]
    assert {item.metadata.envelope.mail_from for item in items} == {"s@sender.test"}


def test_a_message_may_follow_a_true_end_at_once(tls_sidecar, connected, send):
    client = connected()
    send(client, b"hello", b"\r\n.\r\n", SMUGGLED)
    assert [client.reply()[:3] for _ in range(5)] == ["250", "250", "250", "354", "250"]
    assert [item.metadata.envelope.mail_from for item in tls_sidecar.stored()] == [
        *("s@sender.test", "evil@sender.test")
    ]


@pytest.mark.parametrize("ending", [b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\0\n", b"\0\n"])
def test_commands_are_not_carried_by_other_commands(sidecar, ending):
    client = sidecar.connect()
    client.reply()
    client.say(b"EHLO client.test")
    client.send((ENVELOPE + SMUGGLED).replace(b"\r\n", ending) + b"\r\nQUIT\r\n")
    replies = []
    while reply := client.reply_or_reset():
        replies.append(reply[:3])
    assert set(replies) <= {"500", "421", "221"}
    assert replies
    assert sidecar.stored() == []
