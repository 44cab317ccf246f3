"""The messages beside one message, in any list."""

from app.inbox.listing import Access, MessageRow
from app.inbox.view import View


def neighbours_query(access: Access, view: View, row: MessageRow) -> tuple[str, list[object]]:
    """The SQL that finds the ids `newer` and `older` than `row`, each null where there is none. It
    reads one entry of one index for each of both, and of each mailbox (see
    `app.inbox.listing.page_query`)."""
    arguments: list[object] = [access.tenant_id, row.received_at, row.id]
    if view.label_id is not None:
        arguments += [view.label_id, access.mailbox_ids]
        step = _LABELLED
    elif access.mailbox_ids is None:
        step = _OF_TENANT
    else:
        arguments.append(access.mailbox_ids)
        step = _OF_MAILBOXES
    newer = step.format(condition=view.condition, compare=">", order="asc")
    older = step.format(condition=view.condition, compare="<", order="desc")
    return f"select ({newer}) as newer, ({older}) as older", arguments


_OF_TENANT = """select id from message
    where tenant_id = $1 and {condition} and (received_at, id) {compare} ($2, $3)
    order by received_at {order}, id {order} limit 1"""
_OF_MAILBOXES = """select nearest.id from mailbox as wanted cross join lateral (
        select id, received_at from message
        where mailbox_id = wanted.id and {condition} and (received_at, id) {compare} ($2, $3)
        order by received_at {order}, id {order} limit 1
    ) as nearest
    where wanted.id = any($4::uuid[]) and wanted.tenant_id = $1
    order by nearest.received_at {order}, nearest.id {order} limit 1"""
_LABELLED = """select message.id from message_label
    join message on message.id = message_label.message_id
    where label_id = $4 and message_label.tenant_id = $1 and {condition}
        and ($5::uuid[] is null or mailbox_id = any($5))
        and (message_label.received_at, message_label.message_id) {compare} ($2, $3)
    order by message_label.received_at {order}, message_label.message_id {order} limit 1"""
