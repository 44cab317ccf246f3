"""A client of the Pillarbox API.

from pillarbox_client import Pillarbox

with Pillarbox("https://mail.example.org", key) as pillarbox:
    for message in pillarbox.messages.list(is_unread=True):
        print(message.subject)
"""

from pillarbox_client.client import Pillarbox
from pillarbox_client.models import (
    ApiKey,
    Attachment,
    Authentication,
    AwaitedMessage,
    Event,
    EventPage,
    Label,
    Link,
    Mailbox,
    Message,
    MessageDetail,
    NewApiKey,
    Totals,
)
from pillarbox_client.problems import ConnectionFailed, Fault, PillarboxError, Problem

__all__ = [
    "ApiKey",
    "Attachment",
    "Authentication",
    "AwaitedMessage",
    "ConnectionFailed",
    "Event",
    "EventPage",
    "Fault",
    "Label",
    "Link",
    "Mailbox",
    "Message",
    "MessageDetail",
    "NewApiKey",
    "Pillarbox",
    "PillarboxError",
    "Problem",
    "Totals",
]
