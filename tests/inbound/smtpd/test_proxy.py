"""Connections through a proxy that says for whom (HAProxy's PROXY protocol)."""

import socket
import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app.inbound.smtpd.connections import ConnectionLimits
from app.inbound.smtpd.proxy import BadProxyHeader, ProxyHeader, parse_proxy_header
from app.settings import Networks

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 25\r\n"


def v2(command: int, family: int, addresses: bytes, length: int | None = None) -> bytes:
    size = len(addresses) if length is None else length
    return SIGNATURE + struct.pack("!BBH", command, family, size) + addresses


def v2_addresses(source: str, target: str) -> bytes:
    return ip_address(source).packed + ip_address(target).packed + struct.pack("!HH", 56324, 25)


V2 = v2(0x21, 0x11, v2_addresses("192.0.2.7", "198.51.100.1"))
V2_WITH_TLV = v2(
    0x21,
    0x11,
    v2_addresses("192.0.2.7", "198.51.100.1") + b"\x04\x00\x02\x00\x00" + b"\x05\x00\x01x",
)
V2_IPV6 = v2(0x21, 0x21, v2_addresses("2001:db8::7", "2001:db8::1"))
V2_MAPPED = v2(0x21, 0x21, v2_addresses("::ffff:192.0.2.7", "2001:db8::1"))
V2_LOCAL = v2(0x20, 0x00, b"")
V2_LOCAL_WITH_ADDRESS = v2(0x20, 0x11, v2_addresses("192.0.2.7", "198.51.100.1"))

GOOD = [
    (V1, "192.0.2.7"),
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 0 65535\r\n", "192.0.2.7"),
    (b"PROXY TCP6 2001:db8::7 2001:DB8::1 1 25\r\n", "2001:db8::7"),
    (b"PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 1 25\r\n", "192.0.2.7"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", None),
    (V2, "192.0.2.7"),
    (V2_WITH_TLV, "192.0.2.7"),
    (V2_IPV6, "2001:db8::7"),
    (V2_MAPPED, "192.0.2.7"),
    (V2_LOCAL, None),
    (V2_LOCAL_WITH_ADDRESS, None),
    (v2(0x21, 0x00, b""), None),
    (v2(0x21, 0x00, b"whatever"), None),
]
BAD = [
    b"EHLO client.test\r\n",
    b"\x16\x03\x01",
    b" PROXY TCP4 192.0.2.7 198.51.100.1 1 25\r\n",
    b"proxy TCP4 192.0.2.7 198.51.100.1 1 25\r\n",
    b"PROXY\r\n",
    b"PROXY TCP4\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1 25\n",
    b"PROXY TCP4  192.0.2.7 198.51.100.1 1 25\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1 25 \r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1 25 x\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1 65536\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 01 25\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 -1 25\r\n",
    b"PROXY TCP4 192.0.2.256 198.51.100.1 1 25\r\n",
    b"PROXY TCP4 192.0.2.07 198.51.100.1 1 25\r\n",
    b"PROXY TCP4 192.0.2.7 target 1 25\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::1 1 25\r\n",
    b"PROXY TCP6 192.0.2.7 198.51.100.1 1 25\r\n",
    b"PROXY TCP6 fe80::1%eth0 2001:db8::1 1 25\r\n",
    b"PROXY UDP4 192.0.2.7 198.51.100.1 1 25\r\n",
    b"PROXY TCP4 192.0.2.7\r 198.51.100.1 1 25\r\n",
    b"PROXY UNKNOWN \xff\r\n",
    b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n",
    b"PROXY " + b"x" * 101,
    SIGNATURE[:-1] + b"\r",
    v2(0x11, 0x11, v2_addresses("192.0.2.7", "198.51.100.1")),
    v2(0x22, 0x11, v2_addresses("192.0.2.7", "198.51.100.1")),
    v2(0x21, 0x12, v2_addresses("192.0.2.7", "198.51.100.1")),
    v2(0x21, 0x31, b"\0" * 216),
    v2(0x21, 0x41, b"\0" * 216),
    v2(0x21, 0x11, b"\xc0\x00\x02\x07"),
    v2(0x21, 0x21, v2_addresses("192.0.2.7", "198.51.100.1")),
    v2(0x21, 0x11, b"", length=65535),
    v2(0x20, 0x00, b"", length=5000),
]


@pytest.mark.parametrize(("header", "address"), GOOD)
def test_a_header_is_read_up_to_its_end_and_not_before(header, address):
    assert parse_proxy_header(header + b"EHLO x\r\n") == ProxyHeader(address, len(header))
    assert parse_proxy_header(header) == ProxyHeader(address, len(header))
    assert all(parse_proxy_header(header[:cut]) is None for cut in range(len(header)))


@pytest.mark.parametrize("header", BAD)
def test_a_malformed_header_is_refused(header):
    with pytest.raises(BadProxyHeader):
        parse_proxy_header(header)


@given(st.one_of(st.binary(), st.binary().map(lambda rest: SIGNATURE + rest)))
def test_any_bytes_are_a_header_or_none_or_may_become_one(received):
    try:
        header = parse_proxy_header(received)
    except BadProxyHeader:
        return
    assert header is None or header.size_bytes <= len(received)


@pytest.mark.parametrize(("header", "address"), GOOD)
def test_the_client_is_the_one_that_the_proxy_names(start_sidecar, header, address):
    sidecar = start_sidecar(proxies="127.0.0.0/8")
    client = sidecar.connect()
    client.send(header)
    client.open_data()
    client.send(b"hello\r\n.\r\n")
    assert client.reply().startswith("250")
    (item,) = sidecar.stored()
    shown = address or "127.0.0.1"
    assert item.metadata.client_address == shown
    literal = f"IPv6:{shown}" if ":" in shown else shown
    assert f"from client.test ([{literal}])".encode() in item.raw


@pytest.mark.parametrize("header", [V1, V2])
def test_the_proxied_client_is_also_that_of_lmtp_and_of_tls(start_sidecar, certificate, header):
    sidecar = start_sidecar(certificate, proxies="127.0.0.1")
    client = sidecar.connect(lmtp=True)
    client.send(header)
    client.reply()
    client.start_tls()
    client.go_to_data()
    client.send(b"hello\r\n.\r\n")
    assert client.reply().startswith("250")
    (item,) = sidecar.stored()
    assert item.metadata.client_address == "192.0.2.7"
    assert b"with LMTPS" in item.raw


@pytest.mark.parametrize("header", [V1, V2_WITH_TLV])
def test_a_header_in_pieces_and_one_with_commands_behind_it_are_read(start_sidecar, header):
    sidecar = start_sidecar(proxies="127.0.0.1")
    client = sidecar.connect()
    for position in range(len(header)):
        client.send(header[position : position + 1])
        sidecar.settle()
    assert client.reply().startswith("220")
    hasty = sidecar.connect()
    hasty.send(header + b"EHLO client.test\r\nQUIT\r\n")
    assert [hasty.reply()[:3] for _ in range(4)] == ["220", "250", "221", ""]


@pytest.mark.parametrize("header", BAD)
def test_a_malformed_header_ends_the_connection_without_a_word(start_sidecar, header):
    sidecar = start_sidecar(proxies="127.0.0.1")
    with capture_logs() as logs:
        client = sidecar.connect()
        client.send(header)
        assert client.reply_or_reset() == ""
        sidecar.wait_until_idle()
    (log,) = logs
    assert (log["event"], log["proxy_address"]) == ("smtp.proxy_refused", "127.0.0.1")


@pytest.mark.parametrize("sent", [b"", V1[:-1], V2[:20]])
def test_a_header_that_does_not_come_in_time_ends_the_connection(start_sidecar, sent):
    sidecar = start_sidecar(proxies="127.0.0.1", proxy_timeout_seconds=0.3)
    with capture_logs() as logs:
        client = sidecar.connect()
        client.send(sent)
        assert client.reply_or_reset() == ""
        sidecar.wait_until_idle()
    assert [log["event"] for log in logs] == ["smtp.proxy_refused"]


def test_limits_are_those_of_the_client_and_not_of_the_proxy(start_sidecar):
    limits = ConnectionLimits(max_per_host=2, max_per_network=2)
    sidecar = start_sidecar(proxies="127.0.0.1", trusted=Networks(), connections=limits)

    def greeting(source: str) -> str:
        client = sidecar.connect()
        client.send(v2(0x21, 0x11, v2_addresses(source, "198.51.100.1")))
        return client.reply()[:9]

    greedy = [greeting("192.0.2.7") for _ in range(3)]
    others = [greeting(f"203.0.{number}.1") for number in range(4)]
    assert greedy == ["220 mx.ex", "220 mx.ex", "421 4.7.0"]
    assert others == ["220 mx.ex"] * 4
    assert len(sidecar.server._connections) == 6


def test_a_client_is_trusted_for_its_own_address_only(start_sidecar):
    limits = ConnectionLimits(max_per_host=1)
    sidecar = start_sidecar(proxies="127.0.0.1", connections=limits)
    greetings = []
    for header in (V2_LOCAL, V2_LOCAL, V1, V1):
        client = sidecar.connect()
        client.send(header)
        greetings.append(client.reply()[:3])
    assert greetings == ["220", "220", "220", "421"]


def test_a_proxy_that_has_not_said_for_whom_takes_a_place(start_sidecar):
    sidecar = start_sidecar(proxies="127.0.0.1", connections=ConnectionLimits(max_connections=1))
    silent = sidecar.connect()
    sidecar.settle()
    late = sidecar.connect()
    assert late.reply_or_reset() == ""
    silent.send(V1)
    assert silent.reply().startswith("220")


def test_a_stop_says_nothing_before_the_header(start_sidecar):
    sidecar = start_sidecar(proxies="127.0.0.1")
    client = sidecar.connect()
    sidecar.settle()
    sidecar.stop()
    assert client.reply_or_reset() == ""


def test_a_header_from_elsewhere_is_an_unknown_command(start_sidecar):
    sidecar = start_sidecar(proxies="192.0.2.0/24")
    client = sidecar.connect()
    assert client.reply().startswith("220")
    assert client.say(V1[:-2]) == "500 5.5.1 Command unrecognised"


def test_a_second_header_is_an_unknown_command(start_sidecar):
    client = start_sidecar(proxies="127.0.0.1").connect()
    client.send(V1 + V1)
    assert client.reply().startswith("220")
    assert client.reply() == "500 5.5.1 Command unrecognised"


def test_a_proxy_that_closes_its_half_behind_the_header_still_gets_the_greeting(start_sidecar):
    client = start_sidecar(proxies="127.0.0.1").connect()
    client.send(V1)
    client.socket.shutdown(socket.SHUT_WR)
    assert client.reply().startswith("220")
