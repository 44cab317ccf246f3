from collections.abc import AsyncIterator

import pytest
from mailroom import Mailroom

from app.assembly import Services


@pytest.fixture
async def mailroom(services: Services) -> AsyncIterator[Mailroom]:
    tenant = await services.tenants.create("Example", "developer")
    await services.domains.add("example.test", tenant.id, vouched=True)
    mailbox = await services.mailboxes.add("box@example.test", tenant.id)
    writer = await services.spool.open_writer("smtp")
    drain = services.drain(await services.spool.open_reader())
    drain.positions = await drain.load_positions()
    yield Mailroom(services, writer, drain, mailbox)
    await writer.close()
