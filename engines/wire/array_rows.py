"""Kernels for rows that are arrays of any form: bare numbers, a text before or between them, the side named or signed, a count."""

from __future__ import annotations

import numpy as np

from engines.kernel import FRAME, I64, I64_1, I64_3, READ_I64_1, borrowing_kernel
from engines.wire.decimal_text import read_short_units
from engines.wire.json_walk import (
    BACKSLASH,
    CLOSE_ARRAY,
    COMMA,
    MINUS,
    NINE,
    OPEN_ARRAY,
    QUOTE,
    SPACE,
    ZERO,
    Frame,
    Ints,
    byte_at,
    skip_scalar,
    skip_space,
)
from engines.wire.layout import ASK, ASK_COUNT, BID, BID_COUNT, REFUSED_SHAPE, REFUSED_SYNTAX
from engines.wire.row_facts import NO_SIDE, PLACES, Places, match_side
from engines.wire.table_layout import (
    NO_ELEMENT,
    PRICE_DECIMALS,
    PRICE_MULTIPLE,
    ROW_COUNT,
    ROW_LAST,
    ROW_PRICE,
    ROW_SIDE,
    ROW_SIDES,
    ROW_SIZE,
    ROW_WINDOW,
    SIGNED,
    SIZE_DECIMALS,
    SIZE_MULTIPLE,
)

MAX_WORD = 20  # characters of an ignored text in a tight loop
MAX_COUNT_DIGITS = 8


@borrowing_kernel(PLACES(FRAME, I64, READ_I64_1))
def walk_array_row(frame: Frame, at: int, table: Ints) -> Places:
    """Where the values of one row stand, from after its `[`."""
    end = frame.shape[0]
    price_at, size_at, side_at, count_at = 0, 0, 0, 0
    index = 0
    at = skip_space(frame, at)
    if at < end and byte_at(frame, at) == CLOSE_ARRAY:
        return -REFUSED_SHAPE, 0, 0, 0, 0
    while True:
        if index == int(table[ROW_PRICE]):
            price_at = at
        elif index == int(table[ROW_SIZE]):
            size_at = at
        elif index == int(table[ROW_SIDE]):
            side_at = at
        elif index == int(table[ROW_COUNT]):
            count_at = at
        at = skip_scalar(frame, at)
        if at >= 0:
            at = skip_space(frame, at)
            if at >= end:
                at = -REFUSED_SYNTAX
        if at < 0:
            return at, 0, 0, 0, 0
        byte = byte_at(frame, at)
        at += 1
        if byte == CLOSE_ARRAY:
            if index < int(table[ROW_LAST]):
                return -REFUSED_SHAPE, 0, 0, 0, 0
            return at, price_at, size_at, side_at, count_at
        if byte != COMMA:
            return -REFUSED_SYNTAX, 0, 0, 0, 0
        at = skip_space(frame, at)
        index += 1


@borrowing_kernel(I64(FRAME, I64, READ_I64_1, I64, I64_1, I64_3))
def scan_array_rows(frame: Frame, at: int, table: Ints, side: int, header: Ints, levels: Ints) -> int:
    """Rows without white space whose last element is the last one of interest, while they last: the position after the last row
    read, `at` for none. The counts in `header` go on.

    A row it does not understand whole is left to `walk_array_row`, which knows the reason. The table's window bounds the length of a
    row, so that inside it no position needs a test against the frame's end.
    """
    capacity = levels.shape[1]
    end = frame.shape[0] - int(table[ROW_WINDOW])
    price_decimals, price_multiple = int(table[PRICE_DECIMALS]), int(table[PRICE_MULTIPLE])
    size_decimals, size_multiple = int(table[SIZE_DECIMALS]), int(table[SIZE_MULTIPLE])
    price_index, size_index = int(table[ROW_PRICE]), int(table[ROW_SIZE])
    side_index, count_index, last = int(table[ROW_SIDE]), int(table[ROW_COUNT]), int(table[ROW_LAST])
    signed = int(table[SIGNED]) != 0
    bids, asks = int(header[BID_COUNT]), int(header[ASK_COUNT])
    done = at
    while at <= end:
        if byte_at(frame, at) != OPEN_ARRAY:
            break
        cursor = at + 1
        ticks, lots = 0, 0
        own = side
        deleted = False
        good = True
        index = 0
        while True:
            if index in (price_index, size_index):
                is_size = index == size_index
                quoted = byte_at(frame, cursor) == QUOTE
                if quoted:
                    cursor += 1
                negative = is_size and signed and byte_at(frame, cursor) == MINUS
                if negative:
                    cursor += 1
                if not quoted and byte_at(frame, cursor) == ZERO and ZERO <= byte_at(frame, cursor + 1) <= NINE:
                    good = False
                    break
                if not is_size:
                    cursor, ticks = read_short_units(frame, cursor, price_decimals, price_multiple)
                elif deleted:
                    cursor, lots = read_short_units(frame, cursor, 0, 1)
                else:
                    cursor, lots = read_short_units(frame, cursor, size_decimals, size_multiple)
                if ticks < 0 or lots < 0:
                    good = False
                    break
                if quoted:
                    if byte_at(frame, cursor) != QUOTE:
                        good = False
                        break
                    cursor += 1
                if is_size and signed and side_index == NO_ELEMENT:
                    if lots == 0:
                        good = False
                        break
                    own = ASK if negative else BID
            elif index == side_index:
                cursor, own = match_side(frame, cursor, table, int(table[ROW_SIDES]))
                if own == NO_SIDE:
                    good = False
                    break
            elif index == count_index:
                first = cursor
                stop = cursor + MAX_COUNT_DIGITS
                while cursor < stop and ZERO <= byte_at(frame, cursor) <= NINE:
                    cursor += 1
                if cursor == first or (byte_at(frame, first) == ZERO and cursor > first + 1):
                    good = False
                    break
                deleted = byte_at(frame, first) == ZERO
            else:
                if byte_at(frame, cursor) != QUOTE:
                    good = False
                    break
                cursor += 1
                stop = cursor + MAX_WORD
                byte = byte_at(frame, cursor)
                while cursor < stop and byte != QUOTE and SPACE <= byte < 0x80 and byte != BACKSLASH:
                    cursor += 1
                    byte = byte_at(frame, cursor)
                if byte != QUOTE:
                    good = False
                    break
                cursor += 1
            if index == last:
                break
            if byte_at(frame, cursor) != COMMA:
                good = False
                break
            cursor += 1
            index += 1
        if not good or byte_at(frame, cursor) != CLOSE_ARRAY:
            break
        row = asks if own == ASK else bids
        if row == capacity:
            break
        levels[np.uintp(own), np.uintp(row), np.uintp(0)] = ticks
        levels[np.uintp(own), np.uintp(row), np.uintp(1)] = 0 if deleted else lots
        if own == ASK:
            asks += 1
        else:
            bids += 1
        done = cursor + 1
        if byte_at(frame, done) != COMMA:
            break
        at = done + 1
    header[BID_COUNT], header[ASK_COUNT] = bids, asks
    return done
