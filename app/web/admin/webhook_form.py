"""The form of a webhook, to add one and to change one."""

from collections.abc import Sequence
from dataclasses import dataclass

from litestar.datastructures import FormMultiDict

from app.access.grants import Grant
from app.directory.mailboxes import Mailboxes
from app.storage.db.database import Database
from app.web.admin.mailbox_choice import MailboxChoice, offer_mailboxes, read_mailboxes, ticked_ids
from app.web.webhook_wording import OfferedGroup, offer_types
from app.webhooks.endpoint import Endpoint
from app.webhooks.endpoints import Wish


@dataclass(frozen=True, slots=True)
class WebhookFields:
    """What `admin/webhooks/_fields.html` is filled from. `has_lost_mailboxes`: it was for some, and
    none of them is left."""

    url: str
    description: str
    groups: Sequence[OfferedGroup]
    is_ordered: bool
    choice: MailboxChoice
    has_lost_mailboxes: bool = False


@dataclass(frozen=True, slots=True)
class WebhookForm:
    """Fills and reads it, for somebody who may choose among what their grant reaches."""

    database: Database
    mailboxes: Mailboxes
    grant: Grant

    async def show_new(self) -> WebhookFields:
        return await self.show_again(FormMultiDict([]))

    async def show_endpoint(self, endpoint: Endpoint) -> WebhookFields:
        return WebhookFields(
            url=endpoint.url,
            description=endpoint.description,
            groups=offer_types(endpoint.types),
            is_ordered=endpoint.is_ordered,
            choice=await offer_mailboxes(self.database, self.grant.tenant_id, endpoint.mailbox_ids),
        )

    async def show_again(self, form: FormMultiDict) -> WebhookFields:
        """As it was sent, to be put right."""
        return WebhookFields(
            url=str(form.get("url", "")),
            description=str(form.get("description", "")),
            groups=offer_types(_types(form)),
            is_ordered="ordered" in form,
            choice=await offer_mailboxes(
                self.database,
                self.grant.tenant_id,
                ticked_ids(form, "mailbox_ids"),
                str(form.get("others", "")),
            ),
        )

    async def read(self, form: FormMultiDict, before: Endpoint | None = None) -> Wish:
        """What the form asks for. Types that show the same as `before` stay as they are, since
        `message.*` is more than all that begins so today. Raises `InvalidInput`, and `NotFound` for
        an address that is no mailbox."""
        types = _types(form)
        is_same = before is not None and offer_types(before.types) == offer_types(types)
        return Wish(
            url=str(form.get("url", "")).strip(),
            description=str(form.get("description", "")).strip(),
            types=None if is_same else types,
            mailbox_ids=await read_mailboxes(form, self.mailboxes, self.grant.tenant_id),
            is_ordered="ordered" in form,
        )


def _types(form: FormMultiDict) -> Sequence[str]:
    return [str(each) for each in form.getall("types", [])]
