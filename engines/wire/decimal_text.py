"""Kernels from decimal text to integers: exact, or refused. Nothing here passes through a float."""

from __future__ import annotations

from engines.kernel import FRAME, I64, borrowing_kernel
from engines.wire.decimal_long import (
    LAST_SAFE,
    LAST_SAFE_DIGIT,
    POWERS_OF_TEN,
    SAFE_DIGITS,
    read_long_units,
    read_scientific_units,
    refuse_number,
)
from engines.wire.json_walk import (
    DOT,
    LETTER_E,
    LOWER,
    MINUS,
    NINE,
    PAIR,
    QUOTE,
    ZERO,
    Frame,
    Pair,
    byte_at,
)
from engines.wire.layout import (
    REFUSED_DIGITS,
    REFUSED_NUMBER,
    REFUSED_OFF_GRID,
    REFUSED_SHAPE,
    REFUSED_SYNTAX,
)

SHORT_NUMBER = 20  # characters of a number that `read_short_units` may look at


@borrowing_kernel(PAIR(FRAME, I64, I64, I64))
def read_units(frame: Frame, at: int, decimals: int, multiple: int) -> Pair:
    """An unsigned decimal from its first digit: (position after it, units of `multiple * 10**-decimals`)."""
    end = frame.shape[0]
    first = at
    start = at
    units = 0
    while at < end:
        digit = byte_at(frame, at) - ZERO
        if digit < 0 or digit > 9:
            break
        units = units * 10 + digit
        at += 1
    whole = at - start
    if whole == 0:
        return refuse_number(frame, at), 0
    if whole + decimals > SAFE_DIGITS:
        return read_long_units(frame, start, decimals, multiple)
    missing = decimals
    if at < end and byte_at(frame, at) == DOT:
        at += 1
        start = at
        while at < end:
            digit = byte_at(frame, at) - ZERO
            if digit < 0 or digit > 9:
                break
            if missing > 0:
                units = units * 10 + digit
                missing -= 1
            elif digit != 0:
                return read_scientific_units(frame, first, decimals, multiple)
            at += 1
        if at == start:
            return refuse_number(frame, at), 0
    if at < end and (byte_at(frame, at) | LOWER) == LETTER_E:
        return read_scientific_units(frame, first, decimals, multiple)
    if missing > 0:
        units *= int(POWERS_OF_TEN[missing])
    if multiple != 1:
        quotient = units // multiple
        if quotient * multiple != units:
            return -REFUSED_OFF_GRID, 0
        units = quotient
    return at, units


@borrowing_kernel(PAIR(FRAME, I64, I64, I64), inline=True)
def read_short_units(frame: Frame, at: int, decimals: int, multiple: int) -> Pair:
    """Like `read_units`, for at most SHORT_NUMBER characters, without looking for the frame's end.

    The caller vouches for SHORT_NUMBER + 1 bytes from `at`. Units are -1 where the text is not a short exact decimal.
    """
    start = at
    units = 0
    stop = at + SAFE_DIGITS - decimals
    digit = byte_at(frame, at) - ZERO
    while 0 <= digit <= 9 and at < stop:
        units = units * 10 + digit
        at += 1
        digit = byte_at(frame, at) - ZERO
    if at == start:
        return at, -1
    missing = decimals
    if digit == DOT - ZERO:
        at += 1
        first = at
        digit = byte_at(frame, at) - ZERO
        while missing > 0 and 0 <= digit <= 9:
            units = units * 10 + digit
            missing -= 1
            at += 1
            digit = byte_at(frame, at) - ZERO
        stop = start + SHORT_NUMBER
        while digit == 0 and at < stop:
            at += 1
            digit = byte_at(frame, at) - ZERO
        if at == first:
            return at, -1
    if missing > 0:
        units *= int(POWERS_OF_TEN[missing])
    if multiple != 1:
        quotient = units // multiple
        if quotient * multiple != units:
            return at, -1
        units = quotient
    return at, units


@borrowing_kernel(PAIR(FRAME, I64, I64, I64, I64))
def read_decimal(frame: Frame, at: int, decimals: int, multiple: int, signed: int) -> Pair:
    """A price or a size, with its quotes or as a bare JSON number; with a minus sign only where `signed` is not 0."""
    end = frame.shape[0]
    if at >= end:
        return -REFUSED_SYNTAX, 0
    first = byte_at(frame, at)
    quoted = first == QUOTE
    if quoted:
        at += 1
    negative = signed != 0 and at < end and byte_at(frame, at) == MINUS
    if negative:
        at += 1
    if not quoted:
        if negative:
            first = byte_at(frame, at) if at < end else 0
        if first < ZERO or first > NINE:
            if negative:
                return refuse_number(frame, at), 0
            return (-REFUSED_NUMBER if first == MINUS else -REFUSED_SHAPE), 0
        if first == ZERO and at + 1 < end and ZERO <= byte_at(frame, at + 1) <= NINE:
            return -REFUSED_SYNTAX, 0
    at, units = read_units(frame, at, decimals, multiple)
    if at < 0:
        return at, 0
    if quoted:
        if at >= end or byte_at(frame, at) != QUOTE:
            return refuse_number(frame, at), 0
        at += 1
    elif at < end and (byte_at(frame, at) | LOWER) == LETTER_E:
        return -REFUSED_NUMBER, 0
    return at, -units if negative else units


@borrowing_kernel(PAIR(FRAME, I64))
def read_integer(frame: Frame, at: int) -> Pair:
    """An id or a time: an integer, bare or quoted, perhaps negative. (position after it, value)."""
    end = frame.shape[0]
    if at >= end:
        return -REFUSED_SYNTAX, 0
    quoted = byte_at(frame, at) == QUOTE
    if quoted:
        at += 1
    negative = at < end and byte_at(frame, at) == MINUS
    if negative:
        at += 1
    start = at
    value = 0
    while at < end:
        digit = byte_at(frame, at) - ZERO
        if digit < 0 or digit > 9:
            break
        if value > LAST_SAFE or (value == LAST_SAFE and digit > LAST_SAFE_DIGIT):
            return -REFUSED_DIGITS, 0
        value = value * 10 + digit
        at += 1
    if at == start:
        return (refuse_number(frame, at) if quoted or negative else -REFUSED_SHAPE), 0
    if negative:
        value = -value
    if quoted:
        if at >= end or byte_at(frame, at) != QUOTE:
            return refuse_number(frame, at), 0
        return at + 1, value
    if at - start > 1 and byte_at(frame, start) == ZERO:
        return -REFUSED_SYNTAX, 0
    if at < end and (byte_at(frame, at) == DOT or (byte_at(frame, at) | LOWER) == LETTER_E):
        return -REFUSED_NUMBER, 0
    return at, value


@borrowing_kernel(PAIR(FRAME, I64, I64, I64))
def read_scaled_integer(frame: Frame, at: int, unit: int, limit: int) -> Pair:
    """An integer times `unit`; `limit` is INT64_MAX // unit: (position after it, product)."""
    at, value = read_integer(frame, at)
    if at >= 0 and (value > limit or value < -limit):
        return -REFUSED_DIGITS, 0
    return at, value * unit
