"""Structured logs: one JSON line for each outcome, never a body, a token or a secret."""

import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog


def configure_logging(*, human: bool) -> None:
    """Lines go to standard error: JSON for machines, `key=value` for a person at a terminal."""
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(
            # The default formatter prints local variables, and with them headers and tokens.
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,
        )
        if human
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if human else [structlog.processors.format_exc_info]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Lossy(sys.stderr))),
        cache_logger_on_first_use=True,
    )


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    return cast(structlog.typing.FilteringBoundLogger, structlog.get_logger(part=name))


class _Lossy:
    """A stream on which a line that cannot be written is dropped: what is logged must not fail
    because the log's disk is full or its reader gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()
