"""Kernels for what one row of a book says when it says more than a price and a size on a side that is known.

A row is walked first, which gives the positions of its values whatever their order, and read then: a size may not be looked at
before it is known whether the row's count deletes the level.
"""

from __future__ import annotations

import numpy as np
from numba import types

from engines.kernel import FRAME, I64, I64_1, I64_3, READ_I64_1, borrowing_kernel
from engines.wire.decimal_text import read_decimal, read_integer
from engines.wire.json_walk import PAIR, QUOTE, Frame, Ints, Pair, byte_at
from engines.wire.layout import (
    ASK,
    BID,
    BID_COUNT,
    OK,
    REFUSED_CAPACITY,
    REFUSED_MARKET,
    REFUSED_NUMBER,
)
from engines.wire.object_walk import NO_OPTION, match_option
from engines.wire.table_layout import (
    BOTH_SIDES,
    PRICE_DECIMALS,
    PRICE_MULTIPLE,
    ROW_SIDES,
    SIGNED,
    SIZE_DECIMALS,
    SIZE_MULTIPLE,
)

# Positions of a row's values: (behind the row, price, size, side, count); 0: not in the row.
PLACES = types.UniTuple(I64, 5)  # type: ignore[no-untyped-call]
Places = tuple[int, int, int, int, int]

NO_SIDE = -1  # neither text stands here


@borrowing_kernel(I64(FRAME, I64, I64, I64, I64, READ_I64_1, I64, I64_1, I64_3))
def read_level(
    frame: Frame,
    price_at: int,
    size_at: int,
    side_at: int,
    count_at: int,
    table: Ints,
    side: int,
    header: Ints,
    levels: Ints,
) -> int:
    """The row whose values stand at these positions, each a whole scalar, as the next level of its side. OK, or minus a code."""
    if side_at > 0:
        at, side = match_option(frame, side_at, table, int(table[ROW_SIDES]))
        if at < 0:
            return at
        if side == NO_OPTION:
            return -REFUSED_MARKET
    deleted = False
    if count_at > 0:
        at, count = read_integer(frame, count_at)
        if at < 0:
            return at
        if count < 0:
            return -REFUSED_NUMBER
        deleted = count == 0
    if deleted:  # the size may be off the grid: only its sign means anything
        at, lots = read_decimal(frame, size_at, 0, 1, 1)
    else:
        at, lots = read_decimal(
            frame, size_at, int(table[SIZE_DECIMALS]), int(table[SIZE_MULTIPLE]), int(table[SIGNED])
        )
    if at < 0:
        return at
    if side == BOTH_SIDES:
        if lots == 0:
            return -REFUSED_NUMBER
        side = ASK if lots < 0 else BID
    at, ticks = read_decimal(frame, price_at, int(table[PRICE_DECIMALS]), int(table[PRICE_MULTIPLE]), 0)
    if at < 0:
        return at
    row = int(header[BID_COUNT + side])
    if row == levels.shape[1]:
        return -REFUSED_CAPACITY
    levels[np.uintp(side), np.uintp(row), np.uintp(0)] = ticks
    levels[np.uintp(side), np.uintp(row), np.uintp(1)] = 0 if deleted else abs(lots)
    header[BID_COUNT + side] = row + 1
    return OK


@borrowing_kernel(PAIR(FRAME, I64, READ_I64_1, I64), inline=True)
def match_side(frame: Frame, at: int, table: Ints, sides: int) -> Pair:
    """One of the two texts of a side, in quotes: (position after it, side or NO_SIDE). For tight loops: nothing is looked for beyond
    the length of the texts.
    """
    if byte_at(frame, at) != QUOTE:
        return at, NO_SIDE
    cell = sides + 1
    for side in range(2):
        length = int(table[cell])
        same = 0
        while same < length and byte_at(frame, at + 1 + same) == int(table[cell + 1 + same]):
            same += 1
        if same == length and byte_at(frame, at + 1 + length) == QUOTE:
            return at + length + 2, side
        cell += 1 + length
    return at, NO_SIDE
