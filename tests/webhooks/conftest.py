import pytest
from subscriber import Hooks, make_deliverer

from app.access.grants import COMMAND_LINE, Grant
from app.access.permissions import SCOPES
from app.assembly import Services


@pytest.fixture
async def hooks(services: Services) -> Hooks:
    tenant = await services.tenants.create("Acme", "developer")
    await services.users.add("ada@else.example", tenant.id, "owner")
    grant = Grant(COMMAND_LINE, tenant.id, SCOPES)
    return Hooks(services, grant, make_deliverer(services))
