"""The first start on a machine compiles the kernels, which takes about half a minute: say so instead of looking stuck."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from monitor.cli.console import err, line

SLOW_SECONDS = 3.0  # with a filled cache loading takes one or two
TEXT = "compiling the kernels; this happens once and takes about half a minute"


def say(text: str) -> None:
    line(err(), text)


@contextmanager
def loading(tell: Callable[[str], object] = say) -> Iterator[None]:
    """Around the import of the heavy parts."""
    timer = threading.Timer(SLOW_SECONDS, tell, (TEXT,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
