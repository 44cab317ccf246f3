"""A tenant with one thing of each kind, which `test_every_route.py` tries to reach from outside.

A route with a new parameter needs a line in `make_things`: the name of the parameter, and how one
such thing is made in the victim's tenant. A form with a new field that must be filled needs a line
in `FIELDS`, and a callback of the ingester a body in `CALLBACKS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage

from mailroom import Mailroom

from app.access.browser import Browser
from app.access.grants import COMMAND_LINE, Grant
from app.access.permissions import SCOPES
from app.access.sessions import SignInMethod
from app.access.users import User
from app.inbox.actions import Action
from app.inbox.listing import Access
from app.webhooks.endpoints import Wish

# A word that stands in everything that is the victim's, so that it shows wherever it leaks.
MARK = "kingfisher"

# What forms are filled with besides the things themselves, so that only who asks can be wrong.
FIELDS: Mapping[str, str] = {
    "action": "archive",
    "address": "new@stranger.test",
    "email": "new@stranger.test",
    "name": "A name",
    "query": "words",
    "local_part": "new",
    "domain": "stranger.test",
    "scopes": "messages:read",
    "lives": "",
    "overlap": "day",
    "url": "https://new.stranger.test/",
    "start": "all",
    "plan": "developer",
    "role": "viewer",
    "q": "words",
}

# What providers send, so that nothing but the token can be wrong.
CALLBACKS: Mapping[str, object] = {
    "POST /events/inbound": {
        "event_id": "1",
        "recipients": ["box@example.test"],
        "raw_mime": "From: a@example.org\r\n\r\nHi\r\n",
    },
}

# What routes are asked with that would answer late, or need it.
QUERIES: Mapping[str, str] = {"/api/v1/messages/wait": "timeout=0"}


@dataclass(frozen=True)
class Victim:
    """`things`: the value of each path parameter that leads to something of this tenant."""

    mailroom: Mailroom
    owner: User
    things: Mapping[str, object]


async def make_victim(mailroom: Mailroom) -> Victim:
    services, tenant_id = mailroom.services, mailroom.mailbox.tenant_id
    owner = await services.users.add(f"{MARK}@example.test", tenant_id, "owner")
    return Victim(mailroom, owner, {"tenant_id": tenant_id, **await make_things(mailroom, owner)})


async def make_things(mailroom: Mailroom, owner: User) -> Mapping[str, object]:
    """One of each kind, by the name of the path parameter that it fills."""
    services, mailbox = mailroom.services, mailroom.mailbox
    tenant_id = mailbox.tenant_id
    await mailroom.spool(_mail().as_bytes().replace(b"\n", b"\r\n"))
    held_back = await mailroom.spool(_mail().as_bytes(), f"{MARK}-nobody@example.test")
    await mailroom.take_in()
    message_id = (await mailroom.rows())[0].id
    everything = Access(tenant_id)
    message = await services.reading.open(everything, message_id)
    label = await services.labels.ensure(tenant_id, MARK)
    outcome = await services.actions.apply(
        everything, owner.id, Action.LABEL, [message_id], label.id
    )
    search = await services.saved_searches.save(tenant_id, owner.id, MARK, MARK)
    key = await services.keys.create(COMMAND_LINE, tenant_id, name=MARK)
    domain = await services.domains.find_receiving("example.test")
    route = await services.routes.add(f"{MARK}-route@example.test", tenant_id, [mailbox.id])
    grant = Grant(COMMAND_LINE, tenant_id, SCOPES)
    wish = Wish(url=f"https://{MARK}.example/", description=MARK)
    webhook = (await services.webhook_endpoints.add(grant, wish)).endpoint
    delivery = await services.webhook_deliveries.send_test(grant, webhook.id)
    async with services.log.transaction() as transaction:
        await services.sessions.open(transaction, owner.id, Browser(MARK), SignInMethod.MAIL)
    session_id = await services.database.fetch_value(
        "select id from session where user_id = $1", owner.id
    )
    await services.database.execute(
        """insert into parked_event values (gen_random_uuid(), $1, 1, gen_random_uuid(), $2,
            'message.deleted', 'why', 1, now())""",
        MARK,
        tenant_id,
    )
    parked_id = await services.database.fetch_value("select id from parked_event")
    return {
        "parked_id": parked_id,
        "consumer": MARK,
        "message_id": message_id,
        "trace_id": message.trace_id,
        "attachment_id": message.attachments[0].id,
        "label_id": label.id,
        "undo_id": outcome.undo_id,
        "search_id": search.id,
        "session_id": session_id,
        "mailbox_id": mailbox.id,
        "domain_id": domain.id,
        "route_id": route.id,
        "key_id": key.id,
        "item_id": held_back.item_id,
        "user_id": owner.id,
        "webhook_id": webhook.id,
        "delivery_id": delivery.id,
    }


def _mail() -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"{MARK}@example.org"
    message["Subject"] = MARK
    message.set_content(MARK)
    message.add_attachment(MARK.encode(), "application", "octet-stream", filename=f"{MARK}.bin")
    return message
