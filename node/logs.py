"""Structured logs: one event per line, values as fields, the standard library's loggers in the same form.

JSON for machines, coloured columns for people; always to standard error, so that a command's output stays
clean. No event holds a seed, a token or a transaction's body.
"""

import logging
import sys
from typing import Literal, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

LogFormat = Literal["console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]
THROTTLED_EVENTS_MAX = 1_024
"""Different events that one throttle remembers; the oldest is forgotten, then it may be logged once more."""

_QUIET_LOGGERS = ("httpx", "httpcore", "asyncio")


def configure_logs(*, log_format: LogFormat, level: LogLevel, stream: TextIO | None = None, **context: str) -> None:
    """Set up logging of this process; `context` (node, chain) is on every line."""
    output = sys.stderr if stream is None else stream
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: list[Processor]
    if log_format == "json":
        renderer = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        renderer = [structlog.dev.ConsoleRenderer(colors=output.isatty())]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**context)


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the logger of a part of the node."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


class LogThrottle:
    """Let one kind of event through at most once per interval: strangers can cause some at will."""

    def __init__(self, interval_ms: int) -> None:
        self._interval_ms = interval_ms
        self._next_ms: dict[str, int] = {}
        self._suppressed: dict[str, int] = {}

    def admit(self, event: str, now_ms: int) -> int | None:
        """Return how many were suppressed since the last one of this kind, None to suppress this one too."""
        if now_ms < self._next_ms.get(event, now_ms):
            self._suppressed[event] = self._suppressed.get(event, 0) + 1
            return None
        self._next_ms.pop(event, None)
        self._next_ms[event] = now_ms + self._interval_ms
        if len(self._next_ms) > THROTTLED_EVENTS_MAX:
            oldest = next(iter(self._next_ms))
            del self._next_ms[oldest]
            self._suppressed.pop(oldest, None)
        return self._suppressed.pop(event, 0)
