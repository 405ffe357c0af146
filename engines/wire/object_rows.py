"""Kernels for rows that are objects, whatever the order of their keys."""

from __future__ import annotations

import numpy as np

from engines.kernel import FRAME, I64, I64_1, I64_3, READ_I64_1, borrowing_kernel
from engines.wire.decimal_text import read_short_units
from engines.wire.json_walk import (
    BACKSLASH,
    CLOSE_OBJECT,
    COLON,
    COMMA,
    NINE,
    OPEN_OBJECT,
    QUOTE,
    SPACE,
    ZERO,
    Frame,
    Ints,
    byte_at,
    skip_scalar,
    skip_space,
)
from engines.wire.layout import (
    ASK,
    ASK_COUNT,
    BID_COUNT,
    REFUSED_DUPLICATE,
    REFUSED_MISSING,
    REFUSED_SYNTAX,
)
from engines.wire.object_walk import UNKNOWN, read_key
from engines.wire.row_facts import NO_SIDE, PLACES, Places, match_side
from engines.wire.table_layout import (
    BOTH_SIDES,
    COUNT_ROLE,
    ENTRY_ARGUMENT,
    ENTRY_BIT,
    ENTRY_LENGTH,
    ENTRY_SIZE,
    ENTRY_TEXT,
    NODE_ENTRIES,
    NODE_KEYS,
    PRICE_DECIMALS,
    PRICE_MULTIPLE,
    PRICE_ROLE,
    ROW_NODE,
    ROW_ROLES,
    ROW_SIDES,
    ROW_WINDOW,
    SIDE_ROLE,
    SIZE_DECIMALS,
    SIZE_MULTIPLE,
    SIZE_ROLE,
)

FAILED = -1


@borrowing_kernel(PLACES(FRAME, I64, READ_I64_1))
def walk_object_row(frame: Frame, at: int, table: Ints) -> Places:
    """Where the values of one row stand, from after its `{`."""
    end = frame.shape[0]
    node = int(table[ROW_NODE])
    price_at, size_at, side_at, count_at = 0, 0, 0, 0
    seen = 0
    at = skip_space(frame, at)
    if at < end and byte_at(frame, at) == CLOSE_OBJECT:
        return -REFUSED_MISSING, 0, 0, 0, 0
    while True:
        at, entry = read_key(frame, at, table, node)
        if at < 0:
            return at, 0, 0, 0, 0
        if entry != UNKNOWN:
            if seen & int(table[entry + ENTRY_BIT]):
                return -REFUSED_DUPLICATE, 0, 0, 0, 0
            seen |= int(table[entry + ENTRY_BIT])
            role = int(table[entry + ENTRY_ARGUMENT])
            if role == PRICE_ROLE:
                price_at = at
            elif role == SIZE_ROLE:
                size_at = at
            elif role == SIDE_ROLE:
                side_at = at
            elif role == COUNT_ROLE:
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
        if byte == CLOSE_OBJECT:
            break
        if byte != COMMA:
            return -REFUSED_SYNTAX, 0, 0, 0, 0
        at = skip_space(frame, at)
    if seen != int(table[ROW_ROLES]):
        return -REFUSED_MISSING, 0, 0, 0, 0
    return at, price_at, size_at, side_at, count_at


@borrowing_kernel(I64(FRAME, I64), inline=True)
def skip_plain_text(frame: Frame, at: int) -> int:
    """From the first byte of a text to after its closing quote, FAILED where it is not plain ASCII."""
    end = frame.shape[0]
    while at < end:
        byte = byte_at(frame, at)
        if byte == QUOTE:
            return at + 1
        if byte < SPACE or byte >= 0x80 or byte == BACKSLASH:
            return FAILED
        at += 1
    return FAILED


@borrowing_kernel(I64(FRAME, I64))
def skip_plain_member(frame: Frame, at: int) -> int:
    """Over a key nobody asked for and its value, a plain text or an unsigned number: from the key's quote to behind the value, or
    FAILED.
    """
    end = frame.shape[0]
    at = skip_plain_text(frame, at + 1)
    if at == FAILED or at + 1 >= end or byte_at(frame, at) != COLON:
        return FAILED
    at += 1
    byte = byte_at(frame, at)
    if byte == QUOTE:
        return skip_plain_text(frame, at + 1)
    first = at
    while at < end and ZERO <= byte_at(frame, at) <= NINE:
        at += 1
    if at == first or at >= end or byte_at(frame, at) not in (COMMA, CLOSE_OBJECT):
        return FAILED
    return FAILED if byte == ZERO and at > first + 1 else at


@borrowing_kernel(I64(FRAME, I64, READ_I64_1, I64), inline=True)
def match_key(frame: Frame, at: int, table: Ints, node: int) -> int:
    """The entry of the key whose opening quote stands here, UNKNOWN for none; looks no further than the longest known key."""
    entry = node + NODE_ENTRIES
    for _ in range(int(table[node + NODE_KEYS])):
        text, length = int(table[entry + ENTRY_TEXT]), int(table[entry + ENTRY_LENGTH])
        same = 0
        while same < length and byte_at(frame, at + 1 + same) == int(table[text + same]):
            same += 1
        if same == length and byte_at(frame, at + 1 + length) == QUOTE:
            return entry
        entry += ENTRY_SIZE
    return UNKNOWN


@borrowing_kernel(I64(FRAME, I64, READ_I64_1, I64, I64_1, I64_3))
def scan_object_rows(frame: Frame, at: int, table: Ints, side: int, header: Ints, levels: Ints) -> int:
    """Rows without white space that tell price, size and perhaps their side, while they last: the position after the last row read, `at`
    for none. The counts in `header` go on.

    A row it does not understand whole (and every row with a sign or a count) is left to `walk_object_row`, which knows the reason. The
    table's window bounds what the known keys and their values may take; an ignored member is looked at against the frame's end, and
    the window begins anew behind it.
    """
    capacity = levels.shape[1]
    end = frame.shape[0] - int(table[ROW_WINDOW])
    price_decimals, price_multiple = int(table[PRICE_DECIMALS]), int(table[PRICE_MULTIPLE])
    size_decimals, size_multiple = int(table[SIZE_DECIMALS]), int(table[SIZE_MULTIPLE])
    node = int(table[ROW_NODE])
    wanted = int(table[ROW_ROLES])
    bids, asks = int(header[BID_COUNT]), int(header[ASK_COUNT])
    done = at
    while at <= end:
        if byte_at(frame, at) != OPEN_OBJECT:
            break
        cursor = at + 1
        ticks, lots = 0, 0
        own = side
        seen = 0
        closed = False
        while not closed:
            if byte_at(frame, cursor) != QUOTE:
                break
            entry = match_key(frame, cursor, table, node)
            if entry == UNKNOWN:
                cursor = skip_plain_member(frame, cursor)
                if cursor == FAILED or cursor > end:
                    break
            else:
                cursor += int(table[entry + ENTRY_LENGTH]) + 2
                if byte_at(frame, cursor) != COLON or seen & int(table[entry + ENTRY_BIT]):
                    break
                seen |= int(table[entry + ENTRY_BIT])
                cursor += 1
                role = int(table[entry + ENTRY_ARGUMENT])
                if role == SIDE_ROLE:
                    cursor, own = match_side(frame, cursor, table, int(table[ROW_SIDES]))
                    if own == NO_SIDE:
                        break
                elif role == COUNT_ROLE:
                    break
                else:
                    quoted = byte_at(frame, cursor) == QUOTE
                    if quoted:
                        cursor += 1
                    elif byte_at(frame, cursor) == ZERO and ZERO <= byte_at(frame, cursor + 1) <= NINE:
                        break
                    if role == PRICE_ROLE:
                        cursor, ticks = read_short_units(frame, cursor, price_decimals, price_multiple)
                    else:
                        cursor, lots = read_short_units(frame, cursor, size_decimals, size_multiple)
                    if ticks < 0 or lots < 0:
                        break
                    if quoted:
                        if byte_at(frame, cursor) != QUOTE:
                            break
                        cursor += 1
            byte = byte_at(frame, cursor)
            cursor += 1
            if byte != COMMA:
                if byte != CLOSE_OBJECT:
                    break
                closed = True
        if not closed or seen != wanted or own == BOTH_SIDES:
            break
        row = asks if own == ASK else bids
        if row == capacity:
            break
        levels[np.uintp(own), np.uintp(row), np.uintp(0)] = ticks
        levels[np.uintp(own), np.uintp(row), np.uintp(1)] = lots
        if own == ASK:
            asks += 1
        else:
            bids += 1
        done = cursor
        if byte_at(frame, done) != COMMA:
            break
        at = done + 1
    header[BID_COUNT], header[ASK_COUNT] = bids, asks
    return done
