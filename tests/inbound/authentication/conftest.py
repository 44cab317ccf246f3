"""A DNS server on loopback, and the resolver that asks it."""

from collections.abc import AsyncIterator

import pytest
from dns_server import Zone, serving_dns

from app.core.dns import Resolver


@pytest.fixture
async def zone() -> AsyncIterator[Zone]:
    async with serving_dns(Zone()) as zone:
        yield zone


@pytest.fixture
def resolver(zone: Zone) -> Resolver:
    return Resolver([zone.address])
