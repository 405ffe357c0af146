"""How a command runs its event loop, and how it is asked to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
import warnings
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final, TypeVar

import typer

T = TypeVar("T")
STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """On uvloop where it exists: a message costs half as much."""
    if sys.platform == "win32":
        return asyncio.run(main)
    import uvloop

    return uvloop.run(main)


@contextmanager
def stoppable() -> Iterator[None]:
    """Being asked to stop before the loop listens for it (imports take seconds) is a clean stop as well."""

    def stop(number: int, frame: FrameType | None) -> None:
        # The exception may cut Python short while it reads a module; the end of the process closes that file.
        warnings.simplefilter("ignore", ResourceWarning)
        raise typer.Exit(0)

    before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_event() -> asyncio.Event:
    """Set by SIGTERM or SIGINT. Call it in the loop."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        with suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, event.set)
    return event
