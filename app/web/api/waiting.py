"""Waiting for a message over the API."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, get
from litestar.params import QueryParameter

from app.access.grants import Grant
from app.access.permissions import Permission
from app.core.errors import InvalidInput
from app.directory.mailboxes import Mailboxes
from app.inbox.reading import MessageView
from app.mime.links import find_links
from app.mime.one_time_codes import find_codes
from app.search.waiting import Waited, Waiting
from app.web.access import readable_in
from app.web.api.messages import (
    DETAIL_EXAMPLE,
    AttachmentSummary,
    MailboxAddress,
    MessageDetail,
    describe_message,
)
from app.web.api.openapi import shown
from app.web.disconnect import while_connected
from app.web.given import Given
from app.web.guards import allow
from app.web.problems import NOT_FOUND

MAX_TIMEOUT_SECONDS = 120

Match = Annotated[
    str,
    QueryParameter(
        name="match", max_length=4096, description="As in the search box: `subject:code`."
    ),
]
TimeoutSeconds = Annotated[
    int,
    QueryParameter(
        name="timeout", ge=0, le=MAX_TIMEOUT_SECONDS, description="How many seconds to wait."
    ),
]
Since = Annotated[
    datetime | None,
    QueryParameter(
        name="since",
        description="Only what was received at this moment or later, as `2026-11-22T09:30:00Z`.",
    ),
]
AfterPosition = Annotated[
    int | None,
    QueryParameter(
        name="after",
        ge=0,
        le=2**62,
        description="Only what arrived behind this position in the event log.",
    ),
]


class LinkSummary(msgspec.Struct, frozen=True):
    """A web address in a message, and the text that stands for it."""

    url: str
    text: str


class WaitResult(msgspec.Struct, frozen=True):
    """The message, or null when none came in time. `links` are in their order, `codes` have the
    likeliest one-time code first. `position` is how far the event log was looked at, for `after`;
    `notes` say in words what of `match` was not understood."""

    message: MessageDetail | None
    links: Sequence[LinkSummary]
    codes: Sequence[str]
    attachments: Sequence[AttachmentSummary]
    position: int
    notes: Sequence[str]


_EXAMPLE = WaitResult(
    message=DETAIL_EXAMPLE,
    links=[LinkSummary("https://shop.example/confirm?token=f3a9", "Confirm your address")],
    codes=["493817"],
    attachments=DETAIL_EXAMPLE.attachments,
    position=4711,
    notes=[],
)


@get(
    "/messages/wait",
    operation_id="wait_for_message",
    summary="Wait for a message",
    tags=["messages"],
    opt={
        **allow(Permission.MESSAGES_READ),
        **shown(answer=_EXAMPLE, problems=[NOT_FOUND]),
    },
)
async def wait_for_message(
    request: Request[Any, Any, Any],
    grant: Given[Grant],
    mailboxes: Given[Mailboxes],
    waiting: Given[Waiting],
    mailbox: MailboxAddress = None,
    match: Match = "",
    timeout: TimeoutSeconds = 30,
    since: Since = None,
    after: AfterPosition = None,
) -> WaitResult:
    """The newest message that matches, if one is there already; or else the first that arrives,
    within a fraction of a second of its arrival. Its web links and one-time codes are picked out.
    Without `mailbox`, every mailbox that the key may read is waited for; without `match`, any
    message will do. The language is that of the search box, and spam and trash count when it names
    them. Of what is there already the newest 100 messages are looked at; `since` or `after` leave
    out older ones. When nothing comes in time, the answer is 200 with `message` null. The whole
    wait counts as one request."""
    if since is not None and since.tzinfo is None:
        raise InvalidInput("Say the time zone of `since` too, as in 2026-11-22T09:30:00Z.")
    access = await readable_in(grant, mailboxes, mailbox)
    work = waiting.find_first(access, match, timeout_seconds=timeout, since=since, after=after)
    waited = await while_connected(request, work) or Waited(None, after or 0, ())
    if waited.message is None:
        return WaitResult(None, (), (), (), waited.position, waited.notes)
    return _describe(waited.message, waited)


def _describe(message: MessageView, waited: Waited) -> WaitResult:
    detail = describe_message(message)
    return WaitResult(
        detail,
        [LinkSummary(link.url, link.text) for link in find_links(message.html, message.text)],
        find_codes(message.subject, message.text, message.html),
        detail.attachments,
        waited.position,
        waited.notes,
    )
