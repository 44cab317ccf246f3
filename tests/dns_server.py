"""A small DNS server on loopback: it answers what a test tells it to."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset


@dataclass
class Zone:
    """Records by name and type, in the presentation format of RFC 1035, section 5.1.

    `questions` are those that were asked, in order. Names in `failing` are answered with SERVFAIL,
    those in `silent` not at all.
    """

    records: dict[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    is_down: bool = False
    ttl_seconds: int = 300
    questions: list[tuple[str, str]] = field(default_factory=list)
    address: tuple[str, int] = ("127.0.0.1", 0)

    def add(self, name: str, kind: str, *records: str) -> None:
        key = (name.lower(), kind)
        self.records[key] = [*self.records.get(key, ()), *records]

    def remove(self, name: str, kind: str) -> None:
        del self.records[name.lower(), kind]

    def add_text(self, name: str, text: str) -> None:
        """A TXT record of any length, in strings of 255 octets."""
        parts = [text[start : start + 255] for start in range(0, len(text), 255)]
        self.add(name, "TXT", " ".join('"' + part.replace('"', '\\"') + '"' for part in parts))

    def answer(self, datagram: bytes) -> bytes | None:
        query = dns.message.from_wire(datagram)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.questions.append((name, kind))
        if self.is_down or name in self.silent:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if name in self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
        else:
            self._fill(response, name, kind)
        return response.to_wire(max_size=65535)

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        """The records of a name, and those of what it is an alias of (RFC 1034, section 3.6.2)."""
        for _ in range(8):
            for wanted in (kind, "CNAME"):
                if found := self.records.get((name, wanted)):
                    response.answer.append(
                        dns.rrset.from_text(f"{name}.", self.ttl_seconds, "IN", wanted, *found)
                    )
                    break
            else:
                break
            if wanted == kind:
                return
            name = found[0].removesuffix(".").lower()
        if not any(name == known for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)


class _Server(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if answer := self._zone.answer(data):
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def serving_dns(zone: Zone) -> AsyncIterator[Zone]:
    """Serves the zone at `zone.address` while the context lasts."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Server(zone), local_addr=("127.0.0.1", 0)
    )
    zone.address = transport.get_extra_info("sockname")[:2]
    try:
        yield zone
    finally:
        transport.close()


@contextmanager
def serving_dns_beside(zone: Zone) -> Iterator[Zone]:
    """The same for a test that is not asynchronous: in a thread, while the context lasts."""
    started, loop = threading.Event(), asyncio.new_event_loop()
    ended = asyncio.Event()

    async def serve() -> None:
        async with serving_dns(zone):
            started.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert started.wait(10)
        yield zone
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()
