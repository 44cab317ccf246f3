"""A tenant that wants to be told, and all that tells it, on a clock that a test may move."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from app.access.grants import Grant
from app.assembly import Services
from app.core.egress.client import Egress
from app.eventlog.event import Event, NewEvent
from app.eventlog.read import EventFilter, read_events
from app.eventlog.types import EventType
from app.settings import Networks
from app.webhooks.call import Caller
from app.webhooks.deliverer import Deliverer
from app.webhooks.deliveries import Delivery, DeliveryStory
from app.webhooks.endpoints import MintedEndpoint, Wish
from app.webhooks.settling import Settling


async def resolve_to_loopback(_host: str) -> Sequence[str]:
    return ["127.0.0.1"]


def make_deliverer(services: Services, egress: Egress | None = None) -> Deliverer:
    """One that may call loopback, where every name leads, unless it is given another way out."""
    egress = egress or Egress(Networks.parse("127.0.0.0/8"), resolve=resolve_to_loopback)
    caller = Caller(egress, services.keyring, services.clock)
    return Deliverer(services.log, caller, Settling(services.log, services.ids), services.ids)


@dataclass
class Hooks:
    services: Services
    grant: Grant
    deliverer: Deliverer
    read_to: int = 0

    async def add(self, port: int, **wish: object) -> MintedEndpoint:
        url = f"http://hook.example:{port}/in"
        return await self.services.webhook_endpoints.add(self.grant, Wish(url, **wish))  # type: ignore[arg-type]

    async def tell(
        self,
        count: int = 1,
        kind: EventType = EventType.INGEST_RECEIVED,
        mailbox: UUID | None = None,
    ) -> Sequence[Event]:
        """Events of the tenant, queued for all that want them."""
        async with self.services.log.transaction() as transaction:
            for number in range(count):
                transaction.tell(
                    NewEvent(
                        kind,
                        trace_id=uuid4(),
                        subject=("message", uuid4()),
                        tenant_id=self.grant.tenant_id,
                        mailbox_id=mailbox,
                        data={"number": number},
                    )
                )
        return [event for event in await self.queue() if event.type == kind]

    async def queue(self) -> Sequence[Event]:
        """What the consumer does with everything that is new."""
        consumer = self.services.webhooks()
        events = await read_events(
            self.services.database,
            after=self.read_to,
            wanted=EventFilter(types=consumer.types),
            limit=1000,
        )
        if events:
            self.read_to = events[-1].position
            await consumer.handle(events)
        return events

    async def deliver(self) -> int:
        return await self.deliverer.deliver_due()

    async def list(self, endpoint_id: UUID) -> Sequence[Delivery]:
        """The oldest event first; their ids are in order only by the millisecond."""
        page = await self.services.webhook_deliveries.list(self.grant, endpoint_id, limit=200)
        return sorted(page.rows, key=lambda delivery: delivery.position or 0)

    async def open(self, delivery: Delivery) -> DeliveryStory:
        return await self.services.webhook_deliveries.open(
            self.grant, delivery.endpoint_id, delivery.id
        )

    async def told(self, kind: EventType) -> Sequence[Event]:
        return await read_events(
            self.services.database, after=0, wanted=EventFilter(types=[kind]), limit=1000
        )
