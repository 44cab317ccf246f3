"""The way of a mail in the words of its page: each step, and what became of the whole."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.tracing.evidence import TracedMessage
from app.tracing.step import Step, StepKind, StepOutcome, Verdict
from app.tracing.traces import Trace
from app.web.refusal_wording import explain_refusal
from app.web.rendering import count, describe_exactly

_SOON = timedelta(minutes=1)
"""What is done by then is drawn to scale; later it would all be dots beside one long wait."""


@dataclass(frozen=True, slots=True)
class Words:
    """`title` says what happened in a few words, `text` what that means. `tone` is `good`, `bad`,
    `wait` or nothing; `url` leads to what it speaks of, under the name `link`."""

    title: str
    text: str
    icon: str
    tone: str = ""
    url: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """When a step was going on, in thousandths of the whole."""

    start: int
    length: int


@dataclass(frozen=True, slots=True)
class ToldStep:
    """A step and its words. `duration` is as people say it, empty where nobody knows; `is_new_day`
    where the step before was on another one."""

    step: Step
    words: Words
    duration: str
    bar: Bar | None
    is_new_day: bool


@dataclass(frozen=True, slots=True)
class ToldTrace:
    title: str
    headline: str
    lead: str
    icon: str
    tone: str
    steps: Sequence[ToldStep]


def tell_trace(trace: Trace) -> ToldTrace:
    headline, lead, icon, tone = _VERDICTS[trace.verdict]
    if trace.verdict is Verdict.DELIVERED and (took := _time_to_mailbox(trace.steps)) is not None:
        lead = f"It was in its mailbox {describe_ms(took)} after its last byte had come."
    bars = _draw_bars(trace.steps)
    messages = {message.id: message for message in trace.messages}
    told: list[ToldStep] = []
    day = None
    for step, bar in zip(trace.steps, bars, strict=True):
        words = _WORDS[step.kind](step, messages.get(step.message_id) if step.message_id else None)
        duration = "" if step.duration_ms is None else describe_ms(step.duration_ms)
        told.append(ToldStep(step, words, duration, bar, step.at.date() != day))
        day = step.at.date()
    title = _TITLES.get(trace.verdict, "How it came here")
    return ToldTrace(title, headline, lead, icon, tone, told)


def describe_ms(milliseconds: int) -> str:
    """Two figures or so: `under 1 ms`, `12 ms`, `1.4 s`, `3 min`, `2 h`."""
    if milliseconds < 1:
        return "under 1 ms"
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    seconds = milliseconds / 1000
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _time_to_mailbox(steps: Sequence[Step]) -> int | None:
    """Of mail that was taken in at once."""
    at = {step.kind: step.at for step in reversed(steps)}
    if StepKind.SPOOLED not in at or StepKind.HELD_BACK in at:
        return None
    return round((at[StepKind.RECORDED] - at[StepKind.SPOOLED]) / timedelta(milliseconds=1))


def _draw_bars(steps: Sequence[Step]) -> Sequence[Bar | None]:
    timed = [step for step in steps if step.duration_ms is not None]
    if not timed:
        return [None] * len(steps)
    origin = min(_began_at(step) for step in timed)
    drawn = [step for step in timed if step.at - origin <= _SOON]
    whole = max((step.at - origin for step in drawn), default=timedelta(0))

    def place(moment: datetime) -> int:
        return round((moment - origin) / whole * 1000) if whole else 0

    return [
        Bar(place(_began_at(step)), max(4, place(step.at) - place(_began_at(step))))
        if step in drawn
        else None
        for step in steps
    ]


def _began_at(step: Step) -> datetime:
    return step.at - timedelta(milliseconds=step.duration_ms or 0)


_VERDICTS: Mapping[Verdict, tuple[str, str, str, str]] = {
    Verdict.DELIVERED: ("Delivered", "It is in its mailbox.", "check", "good"),
    Verdict.DUPLICATE: (
        "It had come before",
        "The same message was there already, so this one was not kept a second time.",
        "copy",
        "",
    ),
    Verdict.HELD_BACK: (
        "Held back",
        "We have it, and could not put it into a mailbox. It is kept until somebody decides.",
        "triangle-alert",
        "bad",
    ),
    Verdict.DROPPED: ("Dropped", "It was held back, and then dropped for good.", "trash-2", "bad"),
    Verdict.DISCARDED: ("Not kept", "We took it, and threw it away.", "trash-2", "bad"),
    Verdict.DEFERRED: (
        "Not taken just then",
        "Its sender's server was asked to try again. Each try has a way of its own.",
        "clock",
        "wait",
    ),
    Verdict.REFUSED: ("Refused", "Its sender's server was told why.", "x", "bad"),
    Verdict.NONE: (
        "No mail",
        "This is told by the event log, and is about no mail.",
        "activity",
        "",
    ),
}

_TITLES = {
    Verdict.REFUSED: "How far it came",
    Verdict.DEFERRED: "How far it came",
    Verdict.NONE: "What happened",
}

_Teller = Callable[[Step, TracedMessage | None], Words]


def _connected(step: Step, _: TracedMessage | None) -> Words:
    tls = dict(part.partition("=")[::2] for part in str(step.fact("tls") or "").split())
    version = tls.get("version", "").replace("TLSv", "TLS ")
    safety = f"encrypted with {version}" if version else "without encryption"
    address = step.fact("client_address")
    return Words(
        f"{step.fact('client_name') or 'A server'} connected",
        f"From {address}, {safety}." if address else f"It spoke {safety}.",
        "globe",
    )


def _refused(step: Step, _: TracedMessage | None) -> Words:
    is_temporary = step.outcome is StepOutcome.WAITING
    why = explain_refusal(str(step.fact("cause")), is_temporary=is_temporary)
    recipient = step.fact("recipient")
    verb = "Not taken just then" if is_temporary else "Refused"
    return Words(
        f"{verb}: {step.fact('code')}",
        f"{f'For {recipient}. ' if recipient else ''}{why.reason} {why.advice}",
        "clock" if is_temporary else "x",
        "wait" if is_temporary else "bad",
    )


def _claimed(step: Step, _: TracedMessage | None) -> Words:
    items, attempts = int(step.fact("items") or 1), int(step.fact("attempts") or 0)
    text = f"Together with {count(items - 1, 'other')}." if items > 1 else "By itself."
    if attempts:
        text = f"After {f'{attempts} tries' if attempts > 1 else 'a try'} that came to nothing."
    return Words("Its turn came", text, "inbox")


def _recorded(step: Step, message: TracedMessage | None) -> Words:
    mailbox = step.fact("mailbox") or "its mailbox"
    if message is None:
        return Words(f"In {mailbox}", "The message is not there any more.", "mailbox", "good")
    return Words(
        f"In {mailbox}",
        "From here on it can be read.",
        "mailbox",
        "good",
        f"/inbox/m/{message.id}",
        "Open the message",
    )


def _duplicate(_: Step, message: TracedMessage | None) -> Words:
    if message is None:
        return Words("It was there already", "The same message had come before.", "copy")
    return Words(
        "It was there already",
        f"The same message had come to {message.mailbox_address} before.",
        "copy",
        "",
        f"/trace/{message.trace_id}",
        "How that one came",
    )


def _held_back(step: Step, _: TracedMessage | None) -> Words:
    stage, reason = step.fact("stage"), step.fact("reason")
    doing = _STAGES.get(str(stage), "it was taken in")
    return Words("Held back", f"While {doing}. {reason or ''}".strip(), "triangle-alert", "bad")


def _retried(step: Step, _: TracedMessage | None) -> Words:
    if step.fact("taken_in"):
        return Words("Tried again by hand", "It could be taken in.", "refresh-cw", "good")
    return Words("Tried again by hand", "It still cannot be taken in.", "refresh-cw", "bad")


def _authenticated(step: Step, message: TracedMessage | None) -> Words:
    results = ", ".join(f"{name.upper()} {step.fact(name)}" for name in ("spf", "dkim", "dmarc"))
    checked = message.authentication if message else None
    is_failed = checked is not None and checked.verdict == "failed"
    is_verified = checked is not None and checked.verdict == "verified"
    return Words(
        "Its sender was checked",
        f"{checked.headline}. {results}." if checked else f"{results}.",
        "shield-alert" if is_failed else "shield-check",
        "bad" if is_failed else "good" if is_verified else "",
    )


def _webhook(step: Step, _: TracedMessage | None) -> Words:
    host, kind, tries = step.fact("host"), step.fact("type"), int(step.fact("number") or 0)
    if not tries:
        return Words(f"{host} is to be told", f"Of {kind}, by a webhook.", "send", "wait")
    status, error = step.fact("status"), step.fact("error")
    answer = f"It answered {status}" if status else str(error or "No answer came").rstrip(".")
    which = f" Try {tries}." if tries > 1 else ""
    if step.outcome is StepOutcome.DONE:
        return Words(
            f"{host} was told", f"Of {kind}, by a webhook.{which} {answer}.", "send", "good"
        )
    after = "Nothing more is tried." if step.outcome is StepOutcome.FAILED else _say_next(step)
    return Words(
        f"{host} could not be told",
        f"Of {kind}, by a webhook.{which} {answer}. {after}".rstrip(),
        "send",
        "bad" if step.outcome is StepOutcome.FAILED else "wait",
    )


def _say_next(step: Step) -> str:
    next_at = step.fact("next_attempt_at")
    if next_at is None:
        return ""
    return f"The next try is due {describe_exactly(datetime.fromisoformat(str(next_at)))}."


def _changed(step: Step, _: TracedMessage | None) -> Words:
    for name, (when_true, when_false, icon) in _FLAGS.items():
        if (value := step.fact(name)) is not None:
            return Words(when_true if value else when_false, "", icon)
    if folder := step.fact("folder"):
        return Words(_FOLDERS.get(str(folder), "Moved"), "", "archive")
    if step.fact("label_added"):
        return Words("A label was put on it", "", "tag")
    if step.fact("label_removed"):
        return Words("A label was taken off it", "", "tag")
    return Words("It was changed", "", "archive")


def _repeated(step: Step, _: TracedMessage | None) -> Words:
    return Words(
        "The same message came again",
        "It was kept once.",
        "copy",
        "",
        f"/trace/{step.fact('trace_id')}",
        "How that one came",
    )


def _deleted(step: Step, _: TracedMessage | None) -> Words:
    text = _REASONS.get(str(step.fact("reason")), "")
    return Words("Deleted", text, "trash-2")


def _discarded(step: Step, _: TracedMessage | None) -> Words:
    text = _REASONS.get(str(step.fact("reason")), "Its mailbox does not keep it.")
    return Words("Not kept", text, "trash-2", "bad")


def _callback(step: Step, _: TracedMessage | None) -> Words:
    provider = step.fact("client_name") or "A provider"
    return Words(f"{provider} handed it over", "By a callback over HTTP.", "globe")


def _noted(step: Step, _: TracedMessage | None) -> Words:
    kind = str(step.fact("type"))
    return Words(kind.replace(".", ": ").replace("_", " ").capitalize(), "", "activity")


def _always(title: str, text: str, icon: str, tone: str = "") -> _Teller:
    words = Words(title, text, icon, tone)
    return lambda *_: words


def _routed(step: Step, _: TracedMessage | None) -> Words:
    return Words("Its mailboxes were found", str(step.fact("mailboxes") or ""), "route")


_WORDS: Mapping[StepKind, _Teller] = {
    StepKind.CONNECTED: _connected,
    StepKind.RECIPIENT: _always(
        "Sender and recipient accepted", "All that is said before a message was said.", "user"
    ),
    StepKind.REFUSED: _refused,
    StepKind.DATA: _always("The message came", "All of it, up to the last byte.", "mail"),
    StepKind.CALLBACK: _callback,
    StepKind.SPOOLED: _always(
        "Safe on disk", "Only then was its sender told that we have it.", "shield-check"
    ),
    StepKind.CLAIMED: _claimed,
    StepKind.PARSED: _always(
        "Read", "Its parts, its addresses and what is attached were made out.", "file-text"
    ),
    StepKind.ROUTED: _routed,
    StepKind.STORED: _always("Stored as it came", "Byte for byte, for good.", "file-archive"),
    StepKind.RECORDED: _recorded,
    StepKind.DUPLICATE: _duplicate,
    StepKind.DISCARDED: _discarded,
    StepKind.HELD_BACK: _held_back,
    StepKind.RETRIED: _retried,
    StepKind.DROPPED: _always("Dropped", "Somebody decided against it.", "trash-2", "bad"),
    StepKind.AUTHENTICATED: _authenticated,
    StepKind.INDEXED: _always("It can be found", "Searching finds it from here on.", "search"),
    StepKind.WEBHOOK: _webhook,
    StepKind.CHANGED: _changed,
    StepKind.REPEATED: _repeated,
    StepKind.DELETED: _deleted,
    StepKind.NOTED: _noted,
}
_STAGES = {
    "claim": "it was taken from the spool",
    "parse": "it was read",
    "route": "its mailbox was looked for",
    "store": "it was stored",
    "record": "it was put into its mailbox",
}
_FLAGS = {
    "is_read": ("It was read", "It was marked as unread", "mail-open"),
    "is_starred": ("It got a star", "Its star was taken off", "star"),
}
_FOLDERS = {
    "inbox": "Moved to the inbox",
    "archive": "Moved to the archive",
    "spam": "Moved to spam",
    "trash": "Moved to the trash",
}
_REASONS = {
    "trash_emptied": "It had lain in the trash for 30 days.",
    "mailbox_removed": "Its mailbox was removed before it got there.",
    "no_mailbox": "None of its recipients has a mailbox, and their domain discards such mail.",
    "message_too_large": "It was larger than its inbox takes.",
    "inbox_full": "Its inbox was full.",
    "too_many_an_hour": "Its inbox had got too many within an hour.",
}
