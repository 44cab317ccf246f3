"""The client, and what can be asked for under each of its names."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from time import monotonic
from time import sleep as _sleep
from types import TracebackType
from uuid import UUID

import httpx

from pillarbox_client.models import (
    ApiKey,
    AwaitedMessage,
    Event,
    EventPage,
    Label,
    Mailbox,
    Message,
    MessageDetail,
    NewApiKey,
    Totals,
    read,
)
from pillarbox_client.problems import ConnectionFailed
from pillarbox_client.transport import Transport

_LONG_POLL_SECONDS = 30

# What the API waits at most.
_LONGEST_WAIT_SECONDS = 120


class Pillarbox:
    """One installation, with one API key. Close it, or use it as a context manager.

    Every method raises `Problem` for what the API refuses and `ConnectionFailed` when no answer
    came after `attempts` tries. It may be shared between threads.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        attempts: int = 5,
        timeout_seconds: float = 30,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = _sleep,
    ) -> None:
        self._transport = Transport(
            url,
            key,
            attempts=attempts,
            timeout_seconds=timeout_seconds,
            transport=transport,
            sleep=sleep,
        )
        self.messages = Messages(self._transport)
        self.labels = Labels(self._transport)
        self.mailboxes = Mailboxes(self._transport)
        self.events = Events(self._transport)
        self.keys = Keys(self._transport)

    def wait_for_message(
        self,
        *,
        mailbox: str | None = None,
        match: str = "",
        timeout_seconds: float = 30,
        since: datetime | None = None,
        after: int | None = None,
    ) -> AwaitedMessage | None:
        """The newest message that matches, if one is there already, else the first that arrives;
        None when nothing came in time.

        `match` is as in the search box, empty for any message. Only what was received at `since`
        or later counts, and what arrived behind the position `after`. However long it takes, it
        asks the server at most once in two minutes.
        """
        query = {
            "mailbox": mailbox,
            "match": match,
            "since": since.isoformat() if since else None,
            "after": after,
        }
        deadline = monotonic() + timeout_seconds
        while True:
            left_seconds = min(max(deadline - monotonic(), 0), _LONGEST_WAIT_SECONDS)
            query["timeout"] = ceil(left_seconds)
            told = self._transport.send(
                "GET", "/messages/wait", query=query, extra_seconds=left_seconds
            ).json()
            if told["message"] is not None:
                return read(AwaitedMessage, {**told["message"], **told})
            if monotonic() >= deadline:
                return None
            query["after"] = told["position"]

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> "Pillarbox":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Messages:
    """Mail that has arrived."""

    _transport: Transport

    def list(
        self,
        *,
        mailbox: str | None = None,
        folder: str | None = None,
        label_id: UUID | None = None,
        is_unread: bool = False,
        is_starred: bool = False,
    ) -> Iterator[Message]:
        """All that fit, newest first; pages are fetched as you go."""
        query = {
            "mailbox": mailbox,
            "folder": folder,
            "label_id": str(label_id) if label_id else None,
            "is_unread": is_unread or None,
            "is_starred": is_starred or None,
        }
        for told in self._transport.walk("/messages", query):
            yield read(Message, told)

    def search(self, words: str, *, mailbox: str | None = None) -> Iterator[Message]:
        """All that match, newest first. `words` are as in the search box."""
        for told in self._transport.walk("/search", {"q": words, "mailbox": mailbox}):
            yield read(Message, told)

    def get(self, message_id: UUID) -> MessageDetail:
        return read(MessageDetail, self._transport.send("GET", f"/messages/{message_id}").json())

    def raw(self, message_id: UUID) -> bytes:
        """The message as it was received (RFC 5322)."""
        return self._transport.fetch(f"/messages/{message_id}/raw")

    def attachment(self, message_id: UUID, attachment_id: UUID) -> bytes:
        return self._transport.fetch(f"/messages/{message_id}/attachments/{attachment_id}")

    def change(
        self,
        message_id: UUID,
        *,
        is_read: bool | None = None,
        is_starred: bool | None = None,
        folder: str | None = None,
        add_labels: Sequence[UUID] = (),
        remove_labels: Sequence[UUID] = (),
    ) -> MessageDetail:
        """What is None stays as it is."""
        wanted = {"is_read": is_read, "is_starred": is_starred, "folder": folder}
        body = {
            **{name: value for name, value in wanted.items() if value is not None},
            "add_labels": [str(each) for each in add_labels],
            "remove_labels": [str(each) for each in remove_labels],
        }
        answer = self._transport.send("PATCH", f"/messages/{message_id}", body=body)
        return read(MessageDetail, answer.json())

    def trash(self, message_id: UUID) -> None:
        """It can be moved back for 30 days."""
        self._transport.send("DELETE", f"/messages/{message_id}")


@dataclass(frozen=True, slots=True)
class Labels:
    """Words to put on messages."""

    _transport: Transport

    def list(self) -> Iterator[Label]:
        for told in self._transport.walk("/labels", {}):
            yield read(Label, told)

    def ensure(self, name: str) -> Label:
        """The label of this name, made if need be."""
        return read(Label, self._transport.send("POST", "/labels", body={"name": name}).json())

    def delete(self, label_id: UUID) -> None:
        self._transport.send("DELETE", f"/labels/{label_id}")


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """Addresses that receive mail."""

    _transport: Transport

    def list(self, words: str = "") -> Iterator[Mailbox]:
        """All that the key reaches, by address; of these, those with `words` in them."""
        for told in self._transport.walk("/mailboxes", {"q": words or None}):
            yield read(Mailbox, told)

    def get(self, mailbox_id: UUID) -> Mailbox:
        return read(Mailbox, self._transport.send("GET", f"/mailboxes/{mailbox_id}").json())

    def create(
        self, address: str, *, display_name: str = "", idempotency_key: str | None = None
    ) -> Mailbox:
        body = {"address": address, "display_name": display_name}
        answer = self._transport.send(
            "POST", "/mailboxes", body=body, idempotency_key=idempotency_key
        )
        return read(Mailbox, answer.json())

    def delete(self, mailbox_id: UUID) -> None:
        """Mail for it is refused from now on, and everything in it is removed for good."""
        self._transport.send("DELETE", f"/mailboxes/{mailbox_id}")


@dataclass(frozen=True, slots=True)
class Events:
    """Everything that happened, in order."""

    _transport: Transport

    def read(
        self,
        *,
        after: int = 0,
        types: Sequence[str] = (),
        mailbox: str | None = None,
        subject_id: UUID | None = None,
        trace_id: UUID | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        wait_seconds: int = 0,
    ) -> EventPage:
        """The next events after a position. One of `types` may stand for a group: `webhook.*`.
        With `wait_seconds` (at most 30) the answer comes with the first event, or empty after so
        long."""
        query = {
            "after": after,
            "type": list(types) or None,
            "mailbox": mailbox,
            "subject": str(subject_id) if subject_id else None,
            "trace": str(trace_id) if trace_id else None,
            "since": since.isoformat() if since else None,
            "until": until.isoformat() if until else None,
            "limit": limit,
            "wait": wait_seconds or None,
        }
        answer = self._transport.send("GET", "/events", query=query, extra_seconds=wait_seconds)
        told = answer.json()
        return EventPage([read(Event, each) for each in told["items"]], told["next_cursor"])

    def walk(
        self, *, after: int = 0, types: Sequence[str] = (), mailbox: str | None = None
    ) -> Iterator[Event]:
        """All events that there are by now."""
        while True:
            page = self.read(after=after, types=types, mailbox=mailbox)
            if not page.events:
                return
            yield from page.events
            after = page.next_position

    def follow(
        self, *, after: int = 0, types: Sequence[str] = (), mailbox: str | None = None
    ) -> Iterator[Event]:
        """All events after a position, and then each as it happens, for as long as you ask for the
        next one. Keep the `position` of the last one you dealt with: a program that starts again
        with it as `after` misses nothing and gets nothing twice. While the server is away it is
        asked again and again."""
        while True:
            try:
                page = self.read(
                    after=after, types=types, mailbox=mailbox, wait_seconds=_LONG_POLL_SECONDS
                )
            except ConnectionFailed:
                continue
            yield from page.events
            after = page.next_position


@dataclass(frozen=True, slots=True)
class Keys:
    """API keys of the tenant. Needs a key with the scope `admin`."""

    _transport: Transport

    def list(self, words: str = "") -> Iterator[ApiKey]:
        for told in self._transport.walk("/admin/keys", {"q": words or None}):
            yield read(ApiKey, told)

    def get(self, key_id: UUID) -> ApiKey:
        return read(ApiKey, self._transport.send("GET", f"/admin/keys/{key_id}").json())

    def create(
        self,
        name: str,
        *,
        scopes: Sequence[str] | None = None,
        domain_ids: Sequence[UUID] = (),
        mailbox_ids: Sequence[UUID] = (),
        expires_at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> NewApiKey:
        """Its `key` is shown this once. With a name alone it may do everything but administer."""
        body = {
            "name": name,
            "scopes": list(scopes) if scopes is not None else None,
            "domain_ids": [str(each) for each in domain_ids],
            "mailbox_ids": [str(each) for each in mailbox_ids],
            "expires_at": expires_at.isoformat() if expires_at else None,
        }
        answer = self._transport.send(
            "POST", "/admin/keys", body=body, idempotency_key=idempotency_key
        )
        return read(NewApiKey, answer.json())

    def rotate(self, key_id: UUID, *, overlap_seconds: int = 86_400) -> NewApiKey:
        """A key that may do the same; the old one works for `overlap_seconds` more."""
        answer = self._transport.send(
            "POST", f"/admin/keys/{key_id}/rotate", body={"overlap_seconds": overlap_seconds}
        )
        return read(NewApiKey, answer.json())

    def revoke(self, key_id: UUID) -> ApiKey:
        return read(ApiKey, self._transport.send("POST", f"/admin/keys/{key_id}/revoke").json())

    def totals(self, hours: int = 24) -> Totals:
        """How often things happened in the tenant."""
        told = self._transport.send("GET", "/admin/metrics", query={"hours": hours}).json()
        return read(Totals, told)
