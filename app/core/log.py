"""Structured logs: one JSON line for each outcome, never a body, a token or a secret."""

import json
import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock
from typing import BinaryIO, cast
from uuid import UUID

import msgspec
import structlog
from structlog.typing import EventDict, Processor


def configure_logging(*, human: bool) -> None:
    """Lines go to standard error: JSON for machines, `key=value` for a person at a terminal."""
    lines = _Lines(sys.stderr.buffer)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            *(_render_for_people() if human else _render_for_machines()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )


def _render_for_people() -> list[Processor]:
    console = structlog.dev.ConsoleRenderer(
        # The default formatter prints local variables, and with them headers and tokens.
        colors=sys.stderr.isatty(),
        exception_formatter=structlog.dev.plain_traceback,
    )
    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _spell_ids,
        console,
        lambda _logger, _method, line: cast(str, line).encode(errors="replace"),
    ]


def _spell_ids(_logger: object, _method: str, event: EventDict) -> EventDict:
    return {key: str(value) if isinstance(value, UUID) else value for key, value in event.items()}


def _render_for_machines() -> list[Processor]:
    """Few steps and one write, as accepting a mail costs little more than its line."""
    return [structlog.processors.format_exc_info, _encode_json]


def _encode_json(_logger: object, _method: str, event: EventDict) -> bytes:
    event["timestamp"] = datetime.now(UTC)
    try:
        return msgspec.json.encode(event, enc_hook=repr)
    except UnicodeEncodeError:
        # A client's raw bytes as text, which no UTF-8 can hold: shown escaped.
        return json.dumps(msgspec.to_builtins(event, enc_hook=repr)).encode()


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    return cast(structlog.typing.FilteringBoundLogger, structlog.get_logger(part=name))


class _Lines:
    """A stream on which a line that cannot be written is dropped: what is logged must not fail
    because the log's disk is full or its reader gone."""

    def __init__(self, stream: BinaryIO) -> None:
        self._write = stream.write
        self._flush = stream.flush
        self._lock = Lock()

    def msg(self, line: bytes) -> None:
        with self._lock, suppress(OSError):
            self._write(line + b"\n")
            self._flush()

    debug = info = warning = error = critical = msg
