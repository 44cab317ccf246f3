"""Labels over the API."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post
from litestar.params import Body, FromPath

from app.access.grants import Grant
from app.access.permissions import Permission
from app.core.errors import NotAllowed
from app.inbox.labels import MAX_NAME_CHARACTERS, Labels
from app.web.api.messages import Label, describe_label
from app.web.api.openapi import shown
from app.web.given import Given
from app.web.guards import allow

_EXAMPLE = Label(UUID("0198c5f0-6d4b-7c3e-9f52-1a2b3c4d5e6f"), "Bills", "amber")


class LabelList(msgspec.Struct, frozen=True):
    """All labels of the tenant, by name, on one page: there are never more than a hundred."""

    items: Sequence[Label]
    next_cursor: None = None


class NewLabel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A label to be. Case does not tell names apart."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME_CHARACTERS)]


@get(
    "/", operation_id="list_labels", summary="List labels", opt=shown(answer=LabelList([_EXAMPLE]))
)
async def list_all(grant: Given[Grant], labels: Given[Labels]) -> LabelList:
    """The labels of the tenant. A key that is limited to some mailboxes may not list them: it
    sees those that are on its messages."""
    _require_whole_tenant(grant)
    return LabelList([describe_label(label) for label in await labels.list(grant.tenant_id)])


@post(
    "/",
    operation_id="create_label",
    summary="Create a label",
    opt={**allow(Permission.MESSAGES_WRITE), **shown(answer=_EXAMPLE, body=NewLabel("Bills"))},
)
async def create(
    grant: Given[Grant],
    labels: Given[Labels],
    data: Annotated[NewLabel, Body(title="The new label")],
) -> Label:
    """Makes a label, or answers with the one that has this name already. Its colour is chosen for
    you."""
    _require_whole_tenant(grant)
    return describe_label(await labels.ensure(grant.tenant_id, data.name))


@delete(
    "/{label_id:uuid}",
    operation_id="delete_label",
    summary="Delete a label",
    opt=allow(Permission.MESSAGES_WRITE),
    response_description="It is gone.",
)
async def remove(grant: Given[Grant], labels: Given[Labels], label_id: FromPath[UUID]) -> None:
    """The word goes from every message that has it. The messages stay."""
    _require_whole_tenant(grant)
    await labels.remove(grant.tenant_id, label_id)


def _require_whole_tenant(grant: Grant) -> None:
    """Raises `NotAllowed`."""
    if grant.mailbox_ids is not None:
        raise NotAllowed("Labels belong to the whole tenant, and this key to some mailboxes.")


labels_router = Router(
    "/labels",
    route_handlers=[list_all, create, remove],
    opt=allow(Permission.MESSAGES_READ),
    tags=["labels"],
)
