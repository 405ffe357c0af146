"""When Python looks for reference cycles: seldom, and not among what lives as long as the process.

Every second the read model is made anew, some ten thousand objects at 60 markets. By default that sets off thirty collections
in the middle of it, and now and then one that walks the whole process: the frames that arrive meanwhile wait (measured at 60
markets: a second's work of 17 ms against 9 ms without, and single stalls of 100 ms).
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

# Objects made before the youngest are looked at: several seconds' read models of 60 markets at once, 5 ms of work.
YOUNG: Final = 50_000
SETTLE_SECONDS: Final = 60  # a market that is not there by then may never come


@contextmanager
def seldom() -> Iterator[None]:
    """Within: fewer collections, and none of what was there at the beginning."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


async def settle(complete: Callable[[], bool]) -> None:
    """Once every book is there, sets them aside too."""
    for _ in range(SETTLE_SECONDS):
        await asyncio.sleep(1)
        if complete():
            break
    gc.freeze()
