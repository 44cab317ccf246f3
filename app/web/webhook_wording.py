"""Webhooks in the words of their pages: how they stand, what they are told, what became of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.egress.target import Target
from app.web.charts import Chart, Column, Series, draw_columns
from app.web.event_wording import GROUPS, EventGroup, describe_event, types_of
from app.web.rendering import describe_date, describe_duration
from app.web.standing import Standing
from app.webhooks.activity import Day
from app.webhooks.deliveries import Delivery, DeliveryState
from app.webhooks.endpoint import DisabledReason, Endpoint
from app.webhooks.payload import TEST_TYPE
from app.webhooks.queue import Which
from app.webhooks.selection import OFFERED_TYPES
from app.webhooks.verdict import DISABLE_AFTER

ALL_ACCESS = "access.*"

DELIVERY_STATES: Mapping[str, str] = {
    "": "All",
    DeliveryState.PENDING: "Waiting",
    DeliveryState.DELIVERED: "Delivered",
    DeliveryState.FAILED: "Given up",
}
WHICH: Mapping[Which, tuple[str, str]] = {
    Which.UNDELIVERED: (
        "What was missed or given up",
        "Nothing that was delivered comes a second time.",
    ),
    Which.ALL: (
        "Everything",
        "Also what was delivered. Each event keeps its webhook-id, so that it can be recognised.",
    ),
}
_ANSWERS: Mapping[int, str] = {410: "Gone", 429: "Too many requests", 503: "Unavailable"}
_KINDS_OF_ANSWERS: Mapping[int, str] = {
    2: "Taken",
    3: "Redirect, not followed",
    4: "Refused",
    5: "Server error",
}
_SERIES = (
    Series("Delivered", "green"),
    Series("Waiting", "amber"),
    Series("Given up", "red"),
)


@dataclass(frozen=True, slots=True)
class OfferedType:
    """A type of events, or a whole group as `access.*`, with its words."""

    type: str
    words: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class OfferedGroup:
    name: str
    types: Sequence[OfferedType]


def name_endpoint(endpoint: Endpoint) -> str:
    """Its description, or the host of its address."""
    return endpoint.description or Target.parse(endpoint.url).authority


def describe_endpoint(endpoint: Endpoint, now: datetime) -> Standing:
    match endpoint.disabled_reason:
        case DisabledReason.BY_HAND:
            return Standing(
                "Switched off",
                "grey",
                "power",
                "Somebody switched it off. Nothing is sent, and nothing is kept for it.",
            )
        case DisabledReason.GONE:
            return Standing(
                "Switched off: gone",
                "red",
                "x",
                "It answered 410, by which it says that it wants no more. Switch it on again if "
                "that was a mistake.",
            )
        case DisabledReason.FAILING:
            return Standing(
                "Switched off: kept failing",
                "red",
                "triangle-alert",
                f"Nothing could be delivered for {DISABLE_AFTER.days} days, so we stopped trying. "
                "Owners were told by mail. Once it is well, switch it on again.",
            )
    if endpoint.resting_until is not None and endpoint.resting_until > now:
        return Standing(
            "Resting",
            "amber",
            "clock",
            "It asked us to slow down. What happens meanwhile waits and is sent afterwards.",
        )
    if endpoint.failing_since is not None:
        return Standing(
            _say_how_long("Failing", now - endpoint.failing_since),
            "amber",
            "triangle-alert",
            "What it does not take is tried again over three days. After "
            f"{DISABLE_AFTER.days} days without one success it is switched off.",
        )
    return Standing("On", "green", "check", "It is told of events as they happen.")


def describe_delivery(delivery: Delivery, now: datetime) -> Standing:
    match delivery.state:
        case DeliveryState.DELIVERED:
            return Standing("Delivered", "green", "check")
        case DeliveryState.FAILED if delivery.type == TEST_TYPE:
            return Standing("Failed", "red", "x", "A test is tried once.")
        case DeliveryState.FAILED:
            return Standing("Given up", "red", "x", "It is not tried again by itself.")
    if delivery.attempts and delivery.next_attempt_at and delivery.next_attempt_at > now:
        left = int((delivery.next_attempt_at - now).total_seconds())
        when = "within a minute" if left < 60 else f"in {describe_duration(left)}"
        return Standing(f"Next try {when}", "amber", "clock")
    return Standing("Waiting", "blue", "clock")


def describe_answer(status: int | None, error: str) -> str:
    """`204 Taken`, or why no answer came; nothing before the first try is over."""
    if status is None:
        return error
    return f"{status} {_ANSWERS.get(status) or _KINDS_OF_ANSWERS.get(status // 100, '')}".strip()


def describe_type(kind: str) -> str:
    """A type of events, or a group as `message.*`, in words."""
    if kind == TEST_TYPE:
        return "Test"
    if kind == ALL_ACCESS:
        return "What people and keys change"
    if kind.endswith(".*"):
        return f"All {kind} events"
    return describe_event(kind)


def describe_told(endpoint: Endpoint) -> str:
    """What it is told of, in a few words."""
    kinds = endpoint.types
    if not kinds:
        told = "All events"
    elif len(kinds) == 1:
        told = describe_type(kinds[0])
    else:
        told = f"{len(kinds)} kinds of events"
    if endpoint.mailbox_ids:
        number = len(endpoint.mailbox_ids)
        return f"{told}, {'one mailbox' if number == 1 else f'{number} mailboxes'}"
    return told


def offer_types(chosen: Collection[str]) -> Sequence[OfferedGroup]:
    """All that an endpoint may be told of, in the groups that people look for. What people and
    keys change is offered as one, beside those of its types that are chosen."""
    return [
        OfferedGroup(
            look.name,
            [
                OfferedType(kind, describe_type(kind), _is_chosen(kind, chosen))
                for kind in _offered(group, chosen)
            ],
        )
        for group, look in GROUPS.items()
        if group is not EventGroup.WEBHOOKS
    ]


def draw_days(days: Sequence[Day]) -> Chart:
    return draw_columns(
        _SERIES,
        [
            Column(describe_date(day.start), [day.delivered, day.pending, day.failed])
            for day in days
        ],
    )


def _offered(group: EventGroup, chosen: Collection[str]) -> Sequence[str]:
    kinds = [str(kind) for kind in types_of(group) if kind in OFFERED_TYPES]
    if group is EventGroup.PEOPLE:
        return [ALL_ACCESS, *(kind for kind in kinds if kind in chosen)]
    return kinds


def _is_chosen(kind: str, chosen: Collection[str]) -> bool:
    return kind in chosen or kind.partition(".")[0] + ".*" in chosen


def _say_how_long(words: str, length: timedelta) -> str:
    if length < timedelta(minutes=1):
        return words
    return f"{words} for {describe_duration(int(length.total_seconds()))}"
