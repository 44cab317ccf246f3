"""Structured logs: one JSON line for each outcome, never a body, a token or a secret."""

import json
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO, cast

import msgspec
import structlog


def configure_logging(*, human: bool) -> None:
    """Lines go to standard error: JSON for machines, `key=value` for a person at a terminal."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *(_render_for_people() if human else _render_for_machines()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(cast(BinaryIO, _Lossy(sys.stderr.buffer))),
        cache_logger_on_first_use=True,
    )


def _render_for_people() -> list[structlog.typing.Processor]:
    console = structlog.dev.ConsoleRenderer(
        # The default formatter prints local variables, and with them headers and tokens.
        colors=sys.stderr.isatty(),
        exception_formatter=structlog.dev.plain_traceback,
    )
    return [console, lambda _logger, _method, line: cast(str, line).encode(errors="replace")]


def _render_for_machines() -> list[structlog.typing.Processor]:
    """A library's encoder and one write, as accepting a mail costs little more than its line."""
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=_encode_json),
    ]


def _encode_json(event: Any, default: Callable[[Any], Any]) -> bytes:
    try:
        return msgspec.json.encode(event, enc_hook=default)
    except UnicodeEncodeError:
        # A client's raw bytes as text, which no UTF-8 can hold: shown escaped.
        return json.dumps(event, default=default).encode()


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    return cast(structlog.typing.FilteringBoundLogger, structlog.get_logger(part=name))


class _Lossy:
    """A stream on which a line that cannot be written is dropped: what is logged must not fail
    because the log's disk is full or its reader gone."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, line: bytes) -> None:
        with suppress(OSError):
            self._stream.write(line)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()
