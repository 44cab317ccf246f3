"""What kind of mail a message is, by the words of its sender and of filters before us."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.mime.addresses import split_address
from app.mime.parameters import parse_value
from app.mime.parsed import ParsedMessage

_STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
_BULK_PRECEDENCE = frozenset({"auto_reply", "bulk", "junk", "list"})
_SUPPRESSED = frozenset({"all", "autoreply", "oof"})
_AUTOMATIC_FIELDS = ("list-id", "list-unsubscribe", "x-autoreply", "x-autorespond")
_ACTION = re.compile(rb"^action[ \t]*:[ \t]*([a-z]+)", re.I | re.M)
_MAX_STATUS_BYTES = 64 * 1024

_Fields = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Classification:
    """`is_bounce`: says that a message could not be delivered. `is_auto_reply`: made by a machine
    or for many, so that an automatic answer would loop or disturb; true for bounces too."""

    is_spam: bool
    is_bounce: bool
    is_auto_reply: bool


def classify(message: ParsedMessage) -> Classification:
    """Reads the signs of RFC 3464 and RFC 3834 and the usual others. They are claims, no proofs."""
    fields: dict[str, list[str]] = {}
    for name, value in message.headers:
        fields.setdefault(name.lower(), []).append(value.lower())
    is_bounce = _is_bounce(message, fields)
    return Classification(_is_spam(fields), is_bounce, is_bounce or _is_automatic(fields))


def _is_spam(fields: _Fields) -> bool:
    return (
        _first(fields, "x-spam-status").startswith("yes")
        or _first(fields, "x-spam-flag") == "yes"
        or _first(fields, "x-ses-spam-verdict") == "fail"
    )


def _is_bounce(message: ParsedMessage, fields: _Fields) -> bool:
    """A delivery status that tells of delays or success alone is no bounce (RFC 3464, 2.3.3)."""
    actions: set[bytes] = set()
    statuses = [part for part in message.attachments if part.content_type in _STATUS_TYPES]
    for status in statuses:
        actions.update(_ACTION.findall(status.content[:_MAX_STATUS_BYTES].lower()))
    if actions:
        return b"failed" in actions
    if statuses or "x-failed-recipients" in fields:
        return True
    report = parse_value(_first(fields, "content-type").encode())
    if report.token == "multipart/report":  # noqa: S105 (a media type)
        return report.parameters.get("report-type") == "delivery-status"
    sender = split_address(message.from_[0].address)[0].lower() if message.from_ else ""
    return sender == "mailer-daemon" and _has_null_path(fields)


def _is_automatic(fields: _Fields) -> bool:
    suppressed = _first(fields, "x-auto-response-suppress").replace(" ", "").split(",")
    return (
        _first(fields, "auto-submitted").partition(";")[0].strip() not in ("", "no")
        or _first(fields, "precedence") in _BULK_PRECEDENCE
        or not _SUPPRESSED.isdisjoint(suppressed)
        or any(name in fields for name in _AUTOMATIC_FIELDS)
        or _first(fields, "content-type").startswith("multipart/report")
        or _has_null_path(fields)
    )


def _has_null_path(fields: _Fields) -> bool:
    return _first(fields, "return-path") == "<>"


def _first(fields: _Fields, name: str) -> str:
    return fields[name][0] if name in fields else ""
