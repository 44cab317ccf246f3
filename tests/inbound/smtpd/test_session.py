"""Whatever is said, in whatever pieces it arrives, the replies are those that the rules ask for."""

import re
import socket
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

HELLO, LHLO = b"EHLO client.test", b"LHLO client.test"
SENDERS = {b"MAIL FROM:<s@sender.test>": "s@sender.test", b"mail from:<> SIZE=100": ""}
RECIPIENTS = {
    b"RCPT TO:<ann@example.test>": ("250", "ann@example.test"),
    b"rcpt to:<bob@example.test>": ("250", "bob@example.test"),
    b"RCPT TO:<nobody@example.test>": ("550", ""),
    b"RCPT TO:<x@elsewhere.test>": ("550", ""),
    b"RCPT TO:<>": ("553", ""),
    b"RCPT TO:<ann@example.test> NOTIFY=NEVER": ("555", ""),
    b"RCPT": ("501", ""),
}
AT_ANY_TIME = {
    b"NOOP": "250",
    b"noop whatever": "250",
    b"HELP": "214",
    b"VRFY ann": "252",
    b"VRFY": "501",
    b"EXPN staff": "502",
    b"ETRN example.test": "502",
    b"STARTTLS": "502",
    b"RSET x": "501",
    b"QUIT x": "501",
}
UNKNOWN = [b"", b" ", b"XYZZY", b"NOOP\tx", b"N\xffOP", b"NO\rOP", b"NOOP\r", b"\0", b"A" * 3000]
COMMANDS = [
    *(HELLO, LHLO, b"HELO client.test", b"EHLO", b"LHLO", b"MAIL FROM:<s@sender.test", b"RSET"),
    *(b"MAIL FROM:<s@sender.test> SIZE=4000001", b"DATA", b"DATA x", b"QUIT"),
    *(*SENDERS, *RECIPIENTS, *AT_ANY_TIME),
]
REPLY_LINE = re.compile(rb"[2-5]\d\d[ -][\x20-\x7e]*\r\n")
MAX_ERRORS = 10


@dataclass
class Model:
    """The rules, said a second time and as plainly as possible."""

    lmtp: bool = False
    was_greeted: bool = False
    sender: str | None = None
    recipients: list[str] = field(default_factory=list)
    errors: int = 0
    out_of_step: bool = False
    ended: bool = False
    stored: list[tuple[str, list[str], bytes]] = field(default_factory=list)

    def answer(self, line: bytes) -> str:
        """The code that answers a command; nothing once the connection has ended."""
        code = self._answer(line)
        if code == "500":
            self.errors += 1
            code = "421" if self.errors == MAX_ERRORS else code
        self.ended = code in ("221", "421")
        return code

    def _answer(self, line: bytes) -> str:
        if line[:4] in ((b"EHLO", b"HELO") if self.lmtp else (b"LHLO",)) or line in UNKNOWN:
            return "500"
        if line[1:4] in (b"HLO", b"ELO"):
            if len(line) == 4:
                return "501"
            self.was_greeted = True
            self._forget()
            return "250"
        if line in AT_ANY_TIME:
            return AT_ANY_TIME[line]
        if line == b"QUIT":
            return "221"
        if line == b"RSET":
            self._forget()
            return "250"
        if line[:4].upper() == b"MAIL":
            return self._mail(line)
        if not self.was_greeted or self.sender is None:
            return "503"
        if line[:4].upper() == b"RCPT":
            code, address = RECIPIENTS[line]
            self.recipients += [address] if code == "250" else []
            return code
        if line == b"DATA x":
            return "501"
        assert line == b"DATA"
        return "354" if self.recipients else "503" if self.lmtp else "554"

    def _mail(self, line: bytes) -> str:
        if not self.was_greeted or self.sender is not None:
            return "503"
        if self.out_of_step:
            return "421"
        if line not in SENDERS:
            return "552" if b"SIZE" in line else "553"
        self.sender = SENDERS[line]
        return "250"

    def end_data(self, message: bytes) -> list[str]:
        """The codes that answer a message, without its transparency dots."""
        times = len(self.recipients) if self.lmtp else 1
        rest = message.replace(b"\r\n", b"")
        bare = b"\r" in rest or b"\n" in rest
        if not bare:
            distinct = list(dict.fromkeys(self.recipients))
            self.stored.append((self.sender or "", distinct, message))
        self.out_of_step |= bare
        self._forget()
        return ["550" if bare else "250"] * times

    def _forget(self) -> None:
        self.sender, self.recipients = None, []


def stuff(message: bytes) -> bytes:
    lines = message.split(b"\r\n")
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in pieces, parted at these places, which are counted round and round."""
    inner = {place % len(data) for place in places} - {0} if data else set()
    edges = [0, *sorted(inner), len(data)]
    return [data[start:end] for start, end in pairwise(edges) if start < end]


def converse(sidecar, pieces: list[bytes], *, lmtp: bool = False) -> bytes:
    """All that the server says to a client that sends these pieces, and then no more."""
    client = sidecar.connect(lmtp=lmtp)
    said = b""
    try:
        for piece in pieces:
            client.send(piece)
            sidecar.settle()
        client.socket.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # It has hung up. What it said is still there.
    try:
        while more := client.socket.recv(1 << 16):
            said += more
    except ConnectionResetError:
        pass
    client.close()
    sidecar.clients.remove(client)
    return said


def codes(said: bytes) -> list[str]:
    """The code of each reply. Every line must be one, and a reply's lines must agree."""
    assert said.endswith(b"\r\n")
    found, open_code = [], None
    for line in said.split(b"\r\n")[:-1]:
        assert REPLY_LINE.fullmatch(line + b"\r\n"), line
        assert open_code in (None, line[:3])
        open_code = line[:3] if line[3:4] == b"-" else None
        if open_code is None:
            found.append(line[:3].decode())
    assert open_code is None
    return found


def stored_since(sidecar, count: int) -> list[tuple[str, list[str], bytes]]:
    return [
        (
            item.metadata.envelope.mail_from,
            list(item.metadata.envelope.rcpt_to),
            item.raw[item.metadata.prefix_size_bytes :],
        )
        for item in sidecar.stored()[count:]
    ]


over_a_socket = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# Here and there, or byte by byte for a while.
PLACES = st.lists(st.integers(0, 5000), max_size=40) | st.integers(0, 5000).map(
    lambda start: list(range(start, start + 80))
)
MESSAGES = st.lists(
    st.sampled_from(
        [b"\r\n", b"\r\n.", b".", b"hello", b"\0\xff", b"x" * 200] * 4 + [b"\r", b"\n"]
    ),
    min_size=3,
    max_size=12,
).map(lambda parts: b"".join(parts) + b"\r\n") | st.just(b"")

# Dialogues as they should be, to get somewhere, with anything else in between.
MAIL = st.tuples(
    st.sampled_from(list(SENDERS)),
    st.sampled_from(list(RECIPIENTS)[:3]),
    st.lists(st.sampled_from(list(RECIPIENTS)), max_size=3),
    st.sampled_from([b"DATA", b"DATA", b"DATA", b"RSET", HELLO]),
).map(lambda mail: [mail[0], mail[1], *mail[2], mail[3]])
NOISE = st.sampled_from(COMMANDS + UNKNOWN).map(lambda line: [line])
DIALOGUES = st.tuples(
    st.sampled_from([[HELLO], [HELLO], [HELLO], []]),
    st.lists(MAIL | MAIL | MAIL | NOISE, min_size=2, max_size=10),
).map(lambda parts: parts[0] + [line for group in parts[1] for line in group])


@pytest.mark.parametrize("lmtp", [False, True])
@given(lines=DIALOGUES, messages=st.lists(MESSAGES, min_size=4, max_size=4), places=PLACES)
@over_a_socket
def test_every_reply_and_every_stored_message_is_what_the_rules_ask_for(
    sidecar, lmtp, lines, messages, places
):
    model, expected, said = Model(lmtp), ["220"], b""
    for number, line in enumerate(lines):
        line = LHLO if lmtp and line == HELLO else line
        said += line + b"\r\n"
        if model.ended:
            continue  # What is sent behind the end is not even read.
        code = model.answer(line)
        expected.append(code)
        if code == "354":
            message = messages[number % len(messages)]
            said += stuff(message) + b".\r\n"
            expected += model.end_data(message)
    count = len(sidecar.stored())

    with capture_logs() as logs:
        heard = converse(sidecar, cut(said, places), lmtp=lmtp)

    assert codes(heard) == expected
    assert stored_since(sidecar, count) == model.stored
    assert "smtp.failed" not in [log["event"] for log in logs]


GOOD_MAIL = b"MAIL FROM:<s@sender.test>\r\nRCPT TO:<ann@example.test>\r\nDATA\r\n"
FRAGMENTS = st.sampled_from(
    [
        *(line + b"\r\n" for line in COMMANDS),
        *(hello + b"\r\n" + GOOD_MAIL for hello in (HELLO, LHLO)),
        *(b".\r\n", b"\r\n.\r\n", b"\r\n", b"\r", b"\n", b".", b"hello\r\n", b"A" * 3000),
    ]
)
ANY_BYTES = st.lists(FRAGMENTS | st.binary(max_size=40), max_size=15).map(b"".join)


@pytest.mark.parametrize("lmtp", [False, True])
@given(data=ANY_BYTES, places=PLACES)
@over_a_socket
def test_any_bytes_in_any_pieces_are_answered_as_in_one(sidecar, lmtp, data, places):
    count = len(sidecar.stored())
    with capture_logs() as logs:
        at_once = converse(sidecar, [data] if data else [], lmtp=lmtp)
        stored_at_once = stored_since(sidecar, count)
        in_pieces = converse(sidecar, cut(data, places), lmtp=lmtp)
        stored_in_pieces = stored_since(sidecar, count + len(stored_at_once))

    assert codes(at_once)[0] == "220"
    assert codes(in_pieces) == codes(at_once)
    assert stored_in_pieces == stored_at_once
    assert "smtp.failed" not in [log["event"] for log in logs]
    assert codes(converse(sidecar, [b"NOOP\r\n"])) == ["220", "250"]


@given(data=ANY_BYTES.filter(bool), places=PLACES)
@over_a_socket
def test_any_bytes_in_the_clear_behind_starttls_are_no_command(tls_sidecar, data, places):
    opening = HELLO + b"\r\nSTARTTLS\r\n"
    heard = converse(tls_sidecar, [opening, *cut(data, places)])
    _, _, behind = heard.partition(b"Ready to start TLS\r\n")
    assert behind == b"" or behind.startswith(b"\x15")  # A TLS alert (RFC 8446, section 5.1).
    at_once = converse(tls_sidecar, [opening + data])
    assert codes(at_once) == ["220", "250", "554"]
    assert tls_sidecar.stored() == []
