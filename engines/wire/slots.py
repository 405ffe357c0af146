"""Kernel for the value of one slot: an integer times its unit, or a time as text."""

from __future__ import annotations

from engines.kernel import FRAME, I64, borrowing_kernel
from engines.wire.decimal_text import read_scaled_integer
from engines.wire.json_walk import PAIR, Frame, Pair
from engines.wire.table_layout import TIME_TEXT
from engines.wire.time_text import read_time


@borrowing_kernel(PAIR(FRAME, I64, I64, I64), inline=True)
def read_slot(frame: Frame, at: int, unit: int, limit: int) -> Pair:
    """(position after it, ns or product); `unit` TIME_TEXT says that a time as text stands here."""
    if unit == TIME_TEXT:
        return read_time(frame, at)
    return read_scaled_integer(frame, at, unit, limit)
