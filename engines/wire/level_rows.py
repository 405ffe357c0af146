"""Kernels for the rows of a book's side: the usual form in a tight loop, every other legal form element by element."""

from __future__ import annotations

import numpy as np

from engines.kernel import FRAME, I64, I64_3, READ_I64_1, borrowing_kernel
from engines.wire.decimal_text import read_decimal, read_short_units
from engines.wire.json_walk import (
    CLOSE_ARRAY,
    COMMA,
    NINE,
    OPEN_ARRAY,
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
from engines.wire.layout import REFUSED_CAPACITY, REFUSED_SHAPE, REFUSED_SYNTAX
from engines.wire.tables import (
    PRICE_DECIMALS,
    PRICE_MULTIPLE,
    QUOTED,
    ROW_PRICE,
    ROW_SIZE,
    SIZE_DECIMALS,
    SIZE_MULTIPLE,
)

# A usual row is at most 2 + 20 + 3 + 20 + 1 bytes, then perhaps two short counts of 1 + 2 + 8, then `],`.
FAST_ROW = 72
MAX_COUNTS = 2
MAX_COUNT_DIGITS = 8


@borrowing_kernel(I64(FRAME, I64), inline=True)
def skip_counts(frame: Frame, at: int) -> int:
    """Over up to MAX_COUNTS further elements like `,"12"`; stops at the first byte that does not fit."""
    for _ in range(MAX_COUNTS):
        if byte_at(frame, at) != COMMA or byte_at(frame, at + 1) != QUOTE:
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
    """One level of any shape the grammar allows, from after its `[` to after its `]`."""
    end = frame.shape[0]
    price_index, size_index = int(table[ROW_PRICE]), int(table[ROW_SIZE])
    wanted = 2
    index = 0
    at = skip_space(frame, at)
    if at < end and byte_at(frame, at) == CLOSE_ARRAY:
        return -REFUSED_SHAPE
    while True:
        if index == price_index:
            at, units = read_decimal(
                frame, at, int(table[PRICE_DECIMALS]), int(table[PRICE_MULTIPLE]), int(table[QUOTED])
            )
            levels[np.uintp(side), np.uintp(row), np.uintp(0)] = units
            wanted -= 1
        elif index == size_index:
            at, units = read_decimal(
                frame, at, int(table[SIZE_DECIMALS]), int(table[SIZE_MULTIPLE]), int(table[QUOTED])
            )
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


@borrowing_kernel(PAIR(FRAME, I64, READ_I64_1, I64_3, I64))
def scan_side(frame: Frame, at: int, table: Ints, levels: Ints, side: int) -> Pair:
    """The rows of one side, from their `[` to after their `]`: (position, rows)."""
    end = frame.shape[0]
    capacity = levels.shape[1]
    usual = int(table[QUOTED]) != 0 and int(table[ROW_PRICE]) == 0 and int(table[ROW_SIZE]) == 1
    if at >= end:
        return -REFUSED_SYNTAX, 0
    if byte_at(frame, at) != OPEN_ARRAY:
        return -REFUSED_SHAPE, 0
    at = skip_space(frame, at + 1)
    if at < end and byte_at(frame, at) == CLOSE_ARRAY:
        return at + 1, 0
    row = 0
    while True:
        before = row
        if usual:
            at, row = scan_plain_rows(frame, at, table, levels, side, row)
        if row == before:
            if at >= end:
                return -REFUSED_SYNTAX, 0
            if byte_at(frame, at) != OPEN_ARRAY:
                return -REFUSED_SHAPE, 0
            if row == capacity:
                return -REFUSED_CAPACITY, 0
            at = scan_row(frame, at + 1, table, levels, side, row)
            if at < 0:
                return at, 0
            row += 1
        at = skip_space(frame, at)
        if at >= end:
            return -REFUSED_SYNTAX, 0
        byte = byte_at(frame, at)
        at += 1
        if byte == CLOSE_ARRAY:
            return at, row
        if byte != COMMA:
            return -REFUSED_SYNTAX, 0
        at = skip_space(frame, at)
