"""Addresses that must not be called: nothing arrives at sockets that really listen."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from unwelcome_addresses import INWARD, LITERALS, TRICKS, Door, Names, fill, open_door

from app.core.egress.client import Bounds, Egress
from app.core.egress.errors import TargetRefused
from app.settings import Networks

BOUNDS = Bounds(max_bytes=1000, total_seconds=5)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with open_door() as door:
        yield door


@pytest.mark.parametrize("url", LITERALS + TRICKS)
async def test_nothing_arrives_when_an_address_is_not_public(door: Door, url: str) -> None:
    with pytest.raises(TargetRefused):
        await Egress(Networks()).send(
            "GET",
            fill(url, door.port),
            BOUNDS,
        )
    assert door.visitors == []


@pytest.mark.parametrize("addresses", INWARD)
async def test_nothing_arrives_when_a_name_resolves_inwards(
    door: Door, addresses: Sequence[str]
) -> None:
    egress = Egress(Networks(), resolve=Names([addresses]))
    with pytest.raises(TargetRefused):
        await egress.send("GET", f"http://inward.example:{door.port}/", BOUNDS)
    assert door.visitors == []


async def test_nothing_arrives_elsewhere_when_a_name_changes_between_two_answers(
    door: Door,
) -> None:
    """DNS rebinding: the first answer may be called, the second may not."""
    names = Names([["127.0.0.2"], ["127.0.0.1"]])
    other = await asyncio.start_server(lambda _r, writer: writer.close(), "127.0.0.2")
    async with other:
        port = other.sockets[0].getsockname()[1]
        twin = await asyncio.start_server(
            lambda _r, _w: door.visitors.append("127.0.0.1"), "127.0.0.1", port
        )
        async with twin:
            egress = Egress(Networks.parse("127.0.0.2"), resolve=names)
            with pytest.raises(Exception, match="did not answer"):
                await egress.send("GET", f"http://rebinding.example:{port}/", BOUNDS)
            assert names.asked == ["rebinding.example"]
            with pytest.raises(TargetRefused):
                await egress.send("GET", f"http://rebinding.example:{port}/", BOUNDS)
    assert door.visitors == []


async def test_allowed_network_does_not_open_its_neighbours(door: Door) -> None:
    egress = Egress(Networks.parse("127.0.0.2/31"))
    for host in ("127.0.0.1", "127.0.0.4", "[::1]", "[::ffff:127.0.0.2]", "10.0.0.1"):
        with pytest.raises(TargetRefused):
            await egress.send("GET", f"http://{host}:{door.port}/", BOUNDS)
    assert door.visitors == []


async def test_proxies_of_the_environment_are_not_asked(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{door.port}")
    egress = Egress(Networks(), resolve=Names([["127.0.0.1"]]))
    with pytest.raises(TargetRefused):
        await egress.send("GET", "http://example.com/", BOUNDS)
    assert door.visitors == []
