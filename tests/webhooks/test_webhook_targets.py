"""No webhook calls what lies inside: whatever address is stored, nothing arrives at sockets that
really listen."""

from collections.abc import AsyncIterator

import pytest
from subscriber import Hooks, make_deliverer
from unwelcome_addresses import INWARD, LITERALS, TRICKS, Door, Names, fill, open_door

from app.core.egress.client import Egress
from app.settings import Networks
from app.webhooks.deliveries import DeliveryState


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with open_door() as door:
        yield door


async def store(hooks: Hooks, url: str) -> None:
    """As somebody who got past every check before would have left it."""
    minted = await hooks.add(1234)
    await hooks.services.database.execute(
        "update webhook_endpoint set url = $2 where id = $1",
        minted.endpoint.id,
        url.replace("\0", ""),
    )


async def results(hooks: Hooks) -> list[tuple[str, int | None, str]]:
    rows = await hooks.services.database.fetch(
        """select state, status, error from webhook_delivery
        join webhook_attempt on delivery_id = webhook_delivery.id"""
    )
    return [(row["state"], row["status"], row["error"]) for row in rows]


async def test_nothing_arrives_whatever_address_is_stored(hooks: Hooks, door: Door) -> None:
    urls = [fill(url, door.port) for url in LITERALS + TRICKS]
    assert len(urls) >= 40
    for url in urls:
        await store(hooks, url)
    await hooks.tell()
    deliverer = make_deliverer(hooks.services, Egress(Networks()))
    assert await deliverer.deliver_due() == len(urls)
    assert door.visitors == []
    found = await results(hooks)
    assert len(found) == len(urls)
    assert {(state, status) for state, status, _ in found} == {(DeliveryState.PENDING, None)}
    assert all(error for *_, error in found)


async def test_nothing_arrives_when_a_name_resolves_inwards(hooks: Hooks, door: Door) -> None:
    await store(hooks, f"http://inward.example:{door.port}/")
    for addresses in INWARD:
        await hooks.tell()
        egress = Egress(Networks(), resolve=Names([addresses]))
        assert await make_deliverer(hooks.services, egress).deliver_due() == 1
    assert door.visitors == []


async def test_nothing_arrives_when_a_name_changes_between_two_tries(
    hooks: Hooks, door: Door
) -> None:
    """DNS rebinding: what was checked is what is called, and the next try is checked anew."""
    names = Names([["127.0.0.2"], ["127.0.0.1"]])
    egress = Egress(Networks.parse("127.0.0.2"), resolve=names)
    await store(hooks, "http://rebinding.example:1025/")
    for asked in (1, 2):
        await hooks.tell()
        await make_deliverer(hooks.services, egress).deliver_due()
        assert len(names.asked) == asked
    assert door.visitors == []
    errors = [error for *_, error in await results(hooks)]
    assert "may not be called" in errors[-1]
