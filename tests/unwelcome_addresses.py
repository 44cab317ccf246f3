"""Addresses that nothing of ours may call, and a door that would notice."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Door:
    """A server on every address of this machine, of both families, that counts its visitors."""

    port: int
    visitors: list[str] = field(default_factory=list)


@asynccontextmanager
async def open_door() -> AsyncIterator[Door]:
    listening = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    door = Door(listening.getsockname()[1])

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        door.visitors.append(writer.get_extra_info("peername")[0])
        writer.close()

    server = await asyncio.start_server(greet, sock=listening)
    async with server:
        yield door


@dataclass
class Names:
    """A resolver that gives the answers of a list in turn, and counts."""

    answers: list[Sequence[str]]
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


LITERALS = [
    # Loopback, in every way it is written.
    "http://127.0.0.1:{port}/",
    "http://127.0.0.2:{port}/",
    "http://127.255.255.254:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7F.0x0.0x0.0x1:{port}/",
    "http://0x7f.1:{port}/",
    "http://017700000001:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://127.0.0.01:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://127.0.0.0x1:{port}/",
    "http://00000000127.0.0.1:{port}/",
    "http://4294967297:{port}/",
    "http://340282366920938463463374607431768211457:{port}/",
    "http://１２７.０.０.１:{port}/",
    "http://127。0。0。1:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://127%2e0%2e0%2e1:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[0000::0001]:{port}/",
    # Unspecified, which many systems take for loopback.
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0.1.2.3:{port}/",
    "http://[::]:{port}/",
    # IPv4 inside IPv6.
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[64:ff9b:1::127.0.0.1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2001:0:0:0:0:0:80ff:fffe]:{port}/",
    "http://[::ffff:0:127.0.0.1]:{port}/",
    # Networks of one's own.
    "http://10.0.0.1:{port}/",
    "http://172.16.0.1:{port}/",
    "http://172.31.255.255:{port}/",
    "http://192.168.1.1:{port}/",
    "http://100.64.0.1:{port}/",
    "http://100.100.100.200:{port}/",
    "http://169.254.169.254:{port}/latest/meta-data/",
    "http://168.63.129.16:{port}/",
    "http://[fe80::1]:{port}/",
    "http://[fe80::1%25lo]:{port}/",
    "http://[fc00::1]:{port}/",
    "http://[fd00:ec2::254]:{port}/",
    "http://[fec0::1]:{port}/",
    # Everybody and nobody.
    "http://224.0.0.1:{port}/",
    "http://239.255.255.250:{port}/",
    "http://255.255.255.255:{port}/",
    "http://240.0.0.1:{port}/",
    "http://192.0.0.192:{port}/",
    "http://192.0.2.1:{port}/",
    "http://198.18.0.1:{port}/",
    "http://198.51.100.1:{port}/",
    "http://203.0.113.1:{port}/",
    "http://192.88.99.1:{port}/",
    "http://[ff02::1]:{port}/",
    "http://[100::1]:{port}/",
    "http://[2001:db8::1]:{port}/",
    "http://[3fff::1]:{port}/",
    "http://[5f00::1]:{port}/",
    # Names that this machine has for itself.
    "http://localhost:{port}/",
    "http://LOCALHOST.:{port}/",
    "http://ｌｏｃａｌｈｏｓｔ:{port}/",
    "https://localhost:{port}/",
]

TRICKS = [
    "http://example.com@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}@example.com/",
    "http://user:secret@localhost:{port}/",
    "http://localhost:{port}#@example.com/",
    "http://example.com\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@example.com/",
    "http:\\\\127.0.0.1:{port}/",
    "http:/127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "/127.0.0.1:{port}/",
    "127.0.0.1:{port}/",
    " http://127.0.0.1:{port}/",
    "http://\t127.0.0.1:{port}/",
    "http://127.0.0.1\n:{port}/",
    "http://127.0.0.1 :{port}/",
    "http://127.0.0.1:{port} /",
    "http://127.0.0.1:+{port}/",
    "http://127.0.0.1:0x{port:x}/",
    "http://127.0.0.1:{port}\r\nHost: example.com/",
    "http://localhost\x00.example.com:{port}/",
    "http://localhost%00.example.com:{port}/",
    "http://localhost/../:{port}/",
    "http://[127.0.0.1]:{port}/",
    "http://[::1:{port}/",
    "http://::1:{port}/",
    "http://[v1.x]:{port}/",
    "http://localhost..:{port}/",
    "http://.localhost:{port}/",
    "http://-\u00ad:{port}/",
    "http://" + "a" * 300 + ":{port}/",
    "http://localhost:{port}/" + "a" * 9000,
    "http://localhost:0/",
    "http://localhost:25/",
    "http://localhost:22/",
    "http://localhost:65536/",
    "http://localhost:99999/",
    "ftp://localhost:{port}/",
    "file:///etc/passwd",
    "gopher://localhost:{port}/_x",
    "unix:///var/run/docker.sock",
    "data:text/plain,x",
    "javascript:alert(1)",
    "dict://localhost:{port}/",
    "ws://localhost:{port}/",
    "http://",
    "",
]

INWARD: Sequence[Sequence[str]] = [
    ["127.0.0.1"],
    ["::1"],
    ["::ffff:127.0.0.1"],
    ["10.1.2.3"],
    ["169.254.169.254"],
    ["fe80::1%eth0"],
    ["fd00::1"],
    ["93.184.216.34", "127.0.0.1"],
    ["127.0.0.1", "93.184.216.34"],
    ["2606:2800:220:1:248:1893:25c8:1946", "::1"],
]
"""What the resolver may say of a name that must not be called."""


def fill(url: str, port: int) -> str:
    """The address with the port of a door."""
    return url.replace("{port:x}", f"{port:x}").replace("{port}", str(port))
