"""A nanosecond stamp at the end of a JSON frame. Venues stamp milliseconds; the machine's monotonic clock is one for all its processes.

Readers skip keys they do not know, so the frame stays what it was.
"""

from __future__ import annotations

import time

KEY = b',"ns":'
DIGITS = 20
TAIL = len(KEY) + DIGITS + 4  # the stamp and the braces that may follow


def stamped(frame: bytes) -> bytes:
    """The frame (an object) with the time now, CLOCK_MONOTONIC, as its last key."""
    return b"%b%b%d}" % (frame[:-1], KEY, time.monotonic_ns() + 10**19)


def age(frame: bytes, now: int) -> int | None:
    """ns since it was stamped; None for a frame without a stamp."""
    place = frame.rfind(KEY, -TAIL)
    if place < 0:
        return None
    begin = place + len(KEY)
    return now - int(frame[begin : begin + DIGITS]) + 10**19
