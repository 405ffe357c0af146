"""Kernels for the rows of a book: a tight loop for each usual form (here the one of most venues, quoted price and size), and every
other legal form value by value.
"""

from __future__ import annotations

import numpy as np

from engines.kernel import FRAME, I64, I64_1, I64_3, READ_I64_1, borrowing_kernel
from engines.wire.array_rows import scan_array_rows, walk_array_row
from engines.wire.decimal_text import read_decimal, read_short_units
from engines.wire.json_walk import (
    CLOSE_ARRAY,
    COMMA,
    NINE,
    OPEN_ARRAY,
    OPEN_OBJECT,
    PAIR,
    QUOTE,
    ZERO,
    Frame,
    Ints,
    Pair,
    byte_at,
    skip_scalar,
    skip_space,
)
from engines.wire.layout import BID_COUNT, REFUSED_CAPACITY, REFUSED_SHAPE, REFUSED_SYNTAX
from engines.wire.object_rows import scan_object_rows, walk_object_row
from engines.wire.row_facts import read_level
from engines.wire.table_layout import (
    OBJECT_ROWS,
    PRICE_DECIMALS,
    PRICE_MULTIPLE,
    ROW_FORM,
    ROW_PRICE,
    ROW_SIZE,
    ROW_TOLD,
    SIZE_DECIMALS,
    SIZE_MULTIPLE,
    USUAL_ROWS,
)

# A usual row is at most 2 + 20 + 3 + 20 + 1 bytes, then `],`.
FAST_ROW = 50
MAX_COUNTS = 2
MAX_COUNT_DIGITS = 8
FAST_COUNT = 3 + MAX_COUNT_DIGITS + 2  # `,"`, the digits, `"`, then `],`


@borrowing_kernel(I64(FRAME, I64), inline=True)
def skip_counts(frame: Frame, at: int) -> int:
    """Over up to MAX_COUNTS further elements like `,"12"`; stops at the first byte that does not fit, and near the frame's end."""
    end = frame.shape[0] - FAST_COUNT
    for _ in range(MAX_COUNTS):
        if at > end or byte_at(frame, at) != COMMA or byte_at(frame, at + 1) != QUOTE:
            break
        cursor = at + 2
        stop = cursor + MAX_COUNT_DIGITS
        while cursor < stop and ZERO <= byte_at(frame, cursor) <= NINE:
            cursor += 1
        if byte_at(frame, cursor) != QUOTE:
            break
        at = cursor + 1
    return at


@borrowing_kernel(I64(FRAME, I64, READ_I64_1, I64_3, I64, I64))
def scan_row(frame: Frame, at: int, table: Ints, levels: Ints, side: int, row: int) -> int:
    """One level that is an array, of a side that is known, from after its `[` to after its `]`."""
    end = frame.shape[0]
    price_index, size_index = int(table[ROW_PRICE]), int(table[ROW_SIZE])
    wanted = 2
    index = 0
    at = skip_space(frame, at)
    if at < end and byte_at(frame, at) == CLOSE_ARRAY:
        return -REFUSED_SHAPE
    while True:
        if index == price_index:
            at, units = read_decimal(frame, at, int(table[PRICE_DECIMALS]), int(table[PRICE_MULTIPLE]), 0)
            levels[np.uintp(side), np.uintp(row), np.uintp(0)] = units
            wanted -= 1
        elif index == size_index:
            at, units = read_decimal(frame, at, int(table[SIZE_DECIMALS]), int(table[SIZE_MULTIPLE]), 0)
            levels[np.uintp(side), np.uintp(row), np.uintp(1)] = units
            wanted -= 1
        else:
            at = skip_scalar(frame, at)
        if at < 0:
            return at
        at = skip_space(frame, at)
        if at >= end:
            return -REFUSED_SYNTAX
        byte = byte_at(frame, at)
        at += 1
        if byte == CLOSE_ARRAY:
            return at if wanted == 0 else -REFUSED_SHAPE
        if byte != COMMA:
            return -REFUSED_SYNTAX
        at = skip_space(frame, at)
        index += 1


@borrowing_kernel(PAIR(FRAME, I64, READ_I64_1, I64_3, I64, I64))
def scan_plain_rows(frame: Frame, at: int, table: Ints, levels: Ints, side: int, row: int) -> Pair:
    """Rows of the usual form `["61800.20","2.909"],` while they last: (position after the last row read, rows so far).

    A row it does not understand whole is left to `scan_row`, which knows the reason. Inside the window of FAST_ROW bytes
    no position needs a test against the frame's end: the length of a short number is bounded.
    """
    capacity = levels.shape[1]
    end = frame.shape[0] - FAST_ROW
    price_decimals, price_multiple = int(table[PRICE_DECIMALS]), int(table[PRICE_MULTIPLE])
    size_decimals, size_multiple = int(table[SIZE_DECIMALS]), int(table[SIZE_MULTIPLE])
    done = at
    while at <= end and row < capacity:
        if byte_at(frame, at) != OPEN_ARRAY or byte_at(frame, at + 1) != QUOTE:
            break
        cursor, ticks = read_short_units(frame, at + 2, price_decimals, price_multiple)
        if (
            byte_at(frame, cursor) != QUOTE
            or byte_at(frame, cursor + 1) != COMMA
            or byte_at(frame, cursor + 2) != QUOTE
        ):
            break
        cursor, lots = read_short_units(frame, cursor + 3, size_decimals, size_multiple)
        if ticks < 0 or lots < 0 or byte_at(frame, cursor) != QUOTE:
            break
        cursor += 1
        if byte_at(frame, cursor) == COMMA:
            cursor = skip_counts(frame, cursor)
        if byte_at(frame, cursor) != CLOSE_ARRAY:
            break
        levels[np.uintp(side), np.uintp(row), np.uintp(0)] = ticks
        levels[np.uintp(side), np.uintp(row), np.uintp(1)] = lots
        row += 1
        done = cursor + 1
        if byte_at(frame, done) != COMMA:
            break
        at = done + 1
    return done, row


@borrowing_kernel(I64(FRAME, I64, READ_I64_1, I64, I64_1, I64_3))
def scan_any_row(frame: Frame, at: int, table: Ints, side: int, header: Ints, levels: Ints) -> int:
    """One level of any form the grammar allows, from its `[` or `{` to after its end."""
    objects = int(table[ROW_FORM]) == OBJECT_ROWS
    if at >= frame.shape[0]:
        return -REFUSED_SYNTAX
    if byte_at(frame, at) != (OPEN_OBJECT if objects else OPEN_ARRAY):
        return -REFUSED_SHAPE
    if not objects and int(table[ROW_TOLD]) == 0:
        row = int(header[BID_COUNT + side])
        if row == levels.shape[1]:
            return -REFUSED_CAPACITY
        header[BID_COUNT + side] = row + 1
        return scan_row(frame, at + 1, table, levels, side, row)
    if objects:
        at, price_at, size_at, side_at, count_at = walk_object_row(frame, at + 1, table)
    else:
        at, price_at, size_at, side_at, count_at = walk_array_row(frame, at + 1, table)
    if at < 0:
        return at
    code = read_level(frame, price_at, size_at, side_at, count_at, table, side, header, levels)
    return code if code < 0 else at


@borrowing_kernel(I64(FRAME, I64, READ_I64_1, I64, I64_1, I64_3))
def scan_side(frame: Frame, at: int, table: Ints, side: int, header: Ints, levels: Ints) -> int:
    """The rows of one side (BOTH_SIDES: the rows tell it), from their `[` to after their `]`; the counts in `header` go on from 0."""
    end = frame.shape[0]
    form = int(table[ROW_FORM])
    if at >= end:
        return -REFUSED_SYNTAX
    if byte_at(frame, at) != OPEN_ARRAY:
        return -REFUSED_SHAPE
    at = skip_space(frame, at + 1)
    if at < end and byte_at(frame, at) == CLOSE_ARRAY:
        return at + 1
    row = 0
    while True:
        before = at
        if form == USUAL_ROWS:
            at, row = scan_plain_rows(frame, at, table, levels, side, row)
        elif form == OBJECT_ROWS:
            at = scan_object_rows(frame, at, table, side, header, levels)
        else:
            at = scan_array_rows(frame, at, table, side, header, levels)
        if at == before:
            if form != USUAL_ROWS:
                at = scan_any_row(frame, at, table, side, header, levels)
            elif at >= end:
                at = -REFUSED_SYNTAX
            elif byte_at(frame, at) != OPEN_ARRAY:
                at = -REFUSED_SHAPE
            elif row == levels.shape[1]:
                at = -REFUSED_CAPACITY
            else:
                at = scan_row(frame, at + 1, table, levels, side, row)
                row += 1
            if at < 0:
                return at
        at = skip_space(frame, at)
        if at >= end:
            return -REFUSED_SYNTAX
        byte = byte_at(frame, at)
        at += 1
        if byte == CLOSE_ARRAY:
            if form == USUAL_ROWS:
                header[BID_COUNT + side] = row
            return at
        if byte != COMMA:
            return -REFUSED_SYNTAX
        at = skip_space(frame, at)
