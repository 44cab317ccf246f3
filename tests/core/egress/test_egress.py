"""Calls that are made: what is sent, what is read of the answer, and where it stops."""

import asyncio
import gzip
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
from certificates import make_certificate
from http_host import hosting

from app.core.egress.client import Answer, Bounds, Egress
from app.core.egress.errors import TargetRefused, Unreachable
from app.core.egress.target import Target
from app.settings import Networks

BOUNDS = Bounds(max_bytes=1000, total_seconds=5)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


async def resolve(_host: str) -> Sequence[str]:
    return ["127.0.0.1"]


def local(tls: ssl.SSLContext | None = None) -> Egress:
    return Egress(Networks.parse("127.0.0.0/8"), resolve=resolve, tls=tls)


async def ask(answer: bytes, bounds: Bounds = BOUNDS) -> Answer:
    async with hosting(answer) as host:
        return await local().send("GET", f"http://hook.example:{host.port}/", bounds)


async def test_call_is_made_when_the_network_is_allowed() -> None:
    async with hosting(OK) as host:
        answer = await local().send(
            "POST",
            f"http://hook.example:{host.port}/in?a=b c&d=é#there",
            BOUNDS,
            headers={"Content-Type": "application/json"},
            content=b"{}",
        )
    assert (answer.status, answer.content, answer.is_cut) == (200, b"hi", False)
    assert answer.header("content-length") == "2"
    assert answer.header("nothing") == ""
    assert host.requests == [
        b"POST /in?a=b%20c&d=%C3%A9 HTTP/1.1\r\n"
        b"host: hook.example:" + str(host.port).encode() + b"\r\n"
        b"user-agent: Pillarbox\r\naccept-encoding: identity\r\nconnection: close\r\n"
        b"content-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    ]


async def test_system_resolver_finds_what_is_allowed() -> None:
    async with hosting(OK) as host:
        egress = Egress(Networks.parse("127.0.0.0/8, ::1"))
        for name in ("localhost", "127.0.0.1"):
            answer = await egress.send("GET", f"http://{name}:{host.port}", BOUNDS)
            assert answer.status == 200


async def test_redirect_is_an_answer_and_is_not_followed() -> None:
    async with hosting(b"") as host:
        host.answer = (
            f"HTTP/1.1 302 Found\r\nLocation: http://hook.example:{host.port}/next\r\n"
            "Set-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
        ).encode()
        answer = await local().send("GET", f"http://hook.example:{host.port}/", BOUNDS)
    assert answer.status == 302
    assert host.visits == 1


@pytest.mark.parametrize("size,is_cut", [(999, False), (1000, False), (1001, True), (10**7, True)])
async def test_answer_is_read_up_to_the_bound(size: int, is_cut: bool) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
    answer = await ask(head + b"x" * size)
    assert answer.content == b"x" * min(size, 1000)
    assert answer.is_cut is is_cut


@pytest.mark.parametrize("size,is_cut", [(1000, False), (1001, True), (10**7, True)])
async def test_compressed_answer_counts_as_large_as_it_unpacks(size: int, is_cut: bool) -> None:
    packed = gzip.compress(b"x" * size)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    answer = await ask(head.encode() + packed)
    assert answer.content == b"x" * min(size, 1000)
    assert answer.is_cut is is_cut


async def test_answer_that_never_ends_is_cut() -> None:
    async def pour(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"4\r\nmore\r\n")
            await writer.drain()

    async with hosting(pour) as host:
        answer = await local().send("GET", f"http://hook.example:{host.port}/", BOUNDS)
    assert answer.content == b"more" * 250
    assert answer.is_cut


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"x"])
async def test_answer_that_drips_or_stalls_is_given_up(head: bytes) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with hosting(drip) as host:
        with pytest.raises(Unreachable, match=r"too long|as it should"):
            await local().send(
                "GET",
                f"http://hook.example:{host.port}/",
                Bounds(max_bytes=10**6, total_seconds=0.2),
            )


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 999999 No\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2**20 + b"\r\n\r\n",
    ],
)
async def test_answer_that_breaks_its_protocol_may_come_another_time(answer: bytes) -> None:
    with pytest.raises(Unreachable) as raised:
        await ask(answer)
    assert raised.value.retryable


async def test_call_may_be_tried_again_when_nobody_listens_or_no_name_is_found() -> None:
    async with hosting(OK) as host:
        pass
    with pytest.raises(Unreachable):
        await local().send("GET", f"http://hook.example:{host.port}/", BOUNDS)
    with pytest.raises(Unreachable):
        await Egress(Networks()).send("GET", "http://nobody.invalid/", BOUNDS)


async def test_next_address_is_tried_when_one_does_not_answer() -> None:
    async def two(_host: str) -> Sequence[str]:
        return ["127.0.0.9", "127.0.0.1"]

    async with hosting(OK) as host:
        egress = Egress(Networks.parse("127.0.0.0/8"), resolve=two)
        answer = await egress.send("GET", f"http://hook.example:{host.port}/", BOUNDS)
    assert answer.status == 200


@pytest.mark.parametrize("headers", [{"x": "a\r\nHost: b"}, {"x\r\ny": "a"}, {"x": "a\0"}])
async def test_header_that_would_be_two_is_refused(headers: dict[str, str]) -> None:
    async with hosting(OK) as host:
        with pytest.raises(TargetRefused):
            await local().send("GET", f"http://hook.example:{host.port}/", BOUNDS, headers=headers)
    assert host.requests == []


@pytest.mark.parametrize(
    "url,authority,path",
    [
        ("http://A.Example", "a.example", "/"),
        ("https://a.example:443/?x", "a.example", "/?x"),
        ("http://a.example:8080?x=/../y", "a.example:8080", "/?x=/../y"),
        ("https://bücher.example./a%2Fb/ä", "xn--bcher-kva.example", "/a%2Fb/%C3%A4"),
        ("https://[2606:2800::1]:8443/", "[2606:2800::1]:8443", "/"),
        ("https://under_score.example/a@b:c", "under_score.example", "/a@b:c"),
    ],
)
def test_address_is_read_as_browsers_do(url: str, authority: str, path: str) -> None:
    target = Target.parse(url)
    assert (target.authority, target.path) == (authority, path)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for hook.example that signs itself, and its key, in one file."""
    file = tmp_path_factory.mktemp("tls") / "hook.pem"
    file.write_bytes(b"".join(make_certificate("hook.example")))
    return file


@pytest.mark.parametrize(
    "name,is_trusted,is_answered",
    [("hook.example", True, True), ("other.example", True, False), ("hook.example", False, False)],
)
async def test_https_is_verified_against_the_name_of_the_host(
    certificate: Path, name: str, is_trusted: bool, is_answered: bool
) -> None:
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate)) if is_trusted else None
    async with hosting(OK, serving) as host:
        call = local(trusting).send("GET", f"https://{name}:{host.port}/", BOUNDS)
        if is_answered:
            assert (await call).content == b"hi"
        else:
            with pytest.raises(Unreachable):
                await call
            assert host.requests == []
