"""The page of a trace, for each thing that can become of a mail."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from app.tracing.evidence import HeldItem, Sender, TracedMessage
from app.tracing.step import Fact, Step, StepKind, StepOutcome, judge
from app.tracing.traces import Trace
from app.web.trace_wording import tell_trace

_BEGAN = datetime(2026, 11, 22, 6, 37, 12, 408_000, tzinfo=UTC)
_MESSAGE = UUID(int=11)
_HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e'
_SENDER = Sender("192.0.2.17", "mail.analytical.example")
_FAILED, _WAITING = StepOutcome.FAILED, StepOutcome.WAITING


def make_trace_pages(signed_in: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """The name, the template and the context of each."""
    return [
        (name, "traces/show.html", {**signed_in, "trace": trace, "told": tell_trace(trace)})
        for name, trace in make_traces().items()
    ]


def make_traces() -> Mapping[str, Trace]:
    handed_over = [
        _step(
            StepKind.CONNECTED,
            0,
            client_address=_SENDER.address,
            client_name=_SENDER.name,
            protocol="ESMTPS",
            tls="version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 bits=256",
        ),
        _step(StepKind.RECIPIENT, 96, 96),
        _step(StepKind.DATA, 174, 78),
    ]
    kept = [
        _step(StepKind.SPOOLED, 174, item_id=str(UUID(int=12)), size_bytes=18_204),
        _step(StepKind.CLAIMED, 181, 7, items=3),
    ]
    taken_in = [
        _step(StepKind.PARSED, 186, 5),
        _step(StepKind.ROUTED, 188, 2, mailboxes="support@acme.example"),
        _step(StepKind.STORED, 201, 13, sha256="9f86d081884c7d65" * 4),
    ]
    later = [
        _step(StepKind.INDEXED, 418, 209, message=True),
        _step(
            StepKind.AUTHENTICATED, 502, 293, message=True, spf="pass", dkim="pass", dmarc="none"
        ),
        _step(StepKind.CHANGED, 3_600_000, message=True, is_read=True),
        _step(StepKind.CHANGED, 90_000_000, message=True, folder="archive"),
    ]
    recorded = _step(StepKind.RECORDED, 209, 8, message=True, mailbox="support@acme.example")
    held = _step(
        StepKind.HELD_BACK, 190, 9, _FAILED, stage="route", reason="No recipient has a mailbox."
    )
    return {
        "way of delivered mail": _trace(
            [*handed_over, *kept, *taken_in, recorded, *later], messages=[_message("Lunch?")]
        ),
        "way of hostile mail": _trace(
            [
                _step(StepKind.CONNECTED, 0, client_name=_HOSTILE, client_address="192.0.2.1"),
                _step(StepKind.REFUSED, 5, None, _FAILED, recipient=_HOSTILE, code=550),
                _step(StepKind.RECORDED, 9, 1, message=True, mailbox=_HOSTILE),
                _step(StepKind.NOTED, 10, type="mailbox.created", reason=_HOSTILE),
            ],
            messages=[_message(_HOSTILE)],
        ),
        "way of refused mail": _trace(
            [
                handed_over[0],
                _step(
                    StepKind.REFUSED,
                    96,
                    None,
                    _FAILED,
                    recipient="suport@acme.example",
                    code=550,
                    enhanced_code="5.1.1",
                    cause="unknown_recipient",
                    reply="550 5.1.1 No such mailbox here",
                ),
            ]
        ),
        "way of deferred mail": _trace(
            [
                *handed_over,
                _step(
                    StepKind.REFUSED,
                    176,
                    None,
                    _WAITING,
                    recipient="support@acme.example",
                    code=452,
                    cause="storage_full",
                ),
            ]
        ),
        "way of held back mail": _trace(
            [
                *(*handed_over, *kept, taken_in[0], held),
                _step(StepKind.RETRIED, 7_200_000, None, _FAILED, taken_in=False),
            ],
            held=[HeldItem(UUID(int=12), "route", "No recipient has a mailbox.", "", "", _SENDER)],
        ),
        "way of a duplicate": _trace(
            [
                *(*handed_over, *kept, *taken_in),
                _step(StepKind.DUPLICATE, 207, 6, message=True),
            ],
            messages=[_message("Lunch?")],
        ),
    }


def _trace(steps: list[Step], **known: Any) -> Trace:
    parts: dict[str, Any] = {"messages": [], "refused": [], "held": [], **known}
    return Trace(UUID(int=10), judge(steps), steps, **parts)


def _message(subject: str) -> TracedMessage:
    return TracedMessage(
        id=_MESSAGE,
        trace_id=UUID(int=10),
        mailbox_address="support@acme.example",
        mail_from="ada@analytical.example",
        subject=subject,
        received_at=_BEGAN,
        sender=_SENDER,
        authentication=None,
    )


def _step(
    kind: StepKind,
    after_ms: int,
    duration_ms: int | None = None,
    outcome: StepOutcome = StepOutcome.DONE,
    *,
    message: bool = False,
    **facts: str | int | bool,
) -> Step:
    return Step(
        kind,
        _BEGAN + timedelta(milliseconds=after_ms),
        outcome,
        duration_ms,
        _MESSAGE if message else None,
        [Fact(name, value) for name, value in facts.items()],
    )
