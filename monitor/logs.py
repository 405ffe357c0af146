"""Logs: structlog, the standard library and warnings through one pipe to stderr, for people or as JSON, one line each.

The pipe is a bounded queue with a thread behind it: a terminal or a container runtime that does not read must not hold the
engine. What finds no room is left out, counted, and said once there is room again.
"""

from __future__ import annotations

import atexit
import logging
import os
import queue
import re
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO, Any, Final, Literal

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from monitor.config.text import HIDDEN, SECRET_NAME

LogFormat = Literal["console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

MAX_WAITING: Final = 10_000  # lines; a minute of the worst start-up ever seen is under 500

CLOSE_SECONDS: Final = 2.0  # at the end a reader that is stuck is waited for this long, then given up

# Libraries that describe every frame or packet at their lower levels, and what goes wrong with a peer at theirs: the parts
# that use them say that themselves, once per change of state.
QUIET: Final = {
    "websockets": logging.ERROR,
    "aiohttp": logging.ERROR,
    "asyncio": logging.WARNING,
    "mqtt": logging.ERROR,
}

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

_SECRET_IN_ADDRESS: Final = re.compile(r"(?<=://)[^/\s@]+(?=@)")


def configure(format: LogFormat = "console", level: LogLevel = "info", stream: IO[str] | None = None) -> None:
    """Send all logs of the process to `stream` (stderr). Called again, it replaces what was set before."""
    close()
    target = stream or sys.stderr
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _stamp,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,  # here, not in the thread: there the exception is no longer the current one
        hide_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    output = logging.StreamHandler(target)
    output.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_ending(format, target)],
        )
    )
    root = logging.getLogger()
    pipe = _Pipe(output)
    root.handlers = [pipe]
    root.setLevel(level.upper())
    for name, floor in QUIET.items():
        logging.getLogger(name).setLevel(max(floor, root.level))
    logging.captureWarnings(capture=True)
    _open.append(pipe)


def close() -> None:
    """Write what waits and stop the thread. Logging afterwards is written where it happens."""
    while _open:
        _open.pop().close()


def hide_secrets(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Values under telling names, and users and passwords in addresses, become ***."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = HIDDEN if SECRET_NAME.search(key) else _SECRET_IN_ADDRESS.sub(HIDDEN, value)
        elif value is not None and SECRET_NAME.search(key):
            event[key] = HIDDEN
    return event


def _stamp(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """RFC 3339 in UTC; of a record that did not come through structlog, when it was made and not when it is written."""
    record = event.get("_record")
    seconds = time.time() if record is None else record.created
    event["time"] = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    return event


def _ending(format: LogFormat, target: IO[str]) -> list[Processor]:
    if format == "json":
        return [_in_order, structlog.processors.JSONRenderer(_dumps)]
    # Not rich's traceback: it prints local variables, and a password may be one.
    return [
        _one_line,
        structlog.dev.ConsoleRenderer(
            colors=target.isatty() and "NO_COLOR" not in os.environ,
            timestamp_key="time",
            exception_formatter=structlog.dev.plain_traceback,
        ),
    ]


def _one_line(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """What comes from a venue or a broker neither breaks a line nor moves the cursor."""
    for key, value in event.items():
        if isinstance(value, str) and key not in ("exception", "stack"):
            event[key] = _CONTROL.sub(lambda found: repr(found[0])[1:-1], value.strip())
    return event


def _in_order(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """When, how bad, who, what; then the rest."""
    first = {key: event.pop(key) for key in ("time", "level", "logger", "event") if key in event}
    return {**first, **event}


def _dumps(event: EventDict, **_: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class _Pipe(logging.Handler):
    """The only handler of the root logger. Never blocks; a thread of its own renders and writes."""

    def __init__(self, output: logging.Handler) -> None:
        super().__init__()
        self._output = output
        self._waiting: queue.Queue[logging.LogRecord | None] = queue.Queue(MAX_WAITING)
        self._dropped = 0
        self._closed = False
        self._thread = threading.Thread(target=self._write, name="logs", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def emit(self, record: logging.LogRecord) -> None:
        if self._closed:
            self._output.handle(record)
            return
        try:
            if self._dropped:
                self._waiting.put_nowait(_left_out(self._dropped))
                self._dropped = 0
            self._waiting.put_nowait(record)
        except queue.Full:
            self._dropped += 1

    def _write(self) -> None:
        while (record := self._waiting.get()) is not None:
            self._output.handle(record)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        with suppress(queue.Full):
            self._waiting.put(None, timeout=CLOSE_SECONDS)
            self._thread.join(CLOSE_SECONDS)
        if self._dropped and not self._thread.is_alive():
            self._output.handle(_left_out(self._dropped))
        super().close()


def _left_out(count: int) -> logging.LogRecord:
    text = f"{count} log lines were left out: what reads them was too slow"
    return logging.LogRecord("logs", logging.WARNING, __file__, 0, text, None, None)


_open: list[_Pipe] = []
