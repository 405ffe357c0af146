"""Kernels for decimal text of any length and for exponents, every step checked against int64; `decimal_text` calls them when it must."""

from __future__ import annotations

import numpy as np

from engines.kernel import FRAME, I64, borrowing_kernel
from engines.wire.json_walk import BACKSLASH, DOT, LETTER_E, LOWER, MINUS, NINE, PAIR, PLUS, ZERO, Frame, Pair, byte_at
from engines.wire.layout import (
    REFUSED_DIGITS,
    REFUSED_ESCAPE,
    REFUSED_NUMBER,
    REFUSED_OFF_GRID,
    REFUSED_SYNTAX,
)

POWERS_OF_TEN = np.array([10**n for n in range(19)], np.int64)

INT64_MAX = 2**63 - 1
LAST_SAFE = INT64_MAX // 10  # a number up to here takes one more digit ...
LAST_SAFE_DIGIT = INT64_MAX % 10  # ... at the bound itself only one up to this
SAFE_DIGITS = 18  # any number of so many digits fits
LAST_SAFE_MANTISSA = 10**17 - 1  # a mantissa up to here takes one more digit and stays below 10**SAFE_DIGITS
MAX_EXPONENT = 4  # digits; the plain path reads no longer ones either


@borrowing_kernel(I64(FRAME, I64))
def refuse_number(frame: Frame, at: int) -> int:
    """Why the byte here ends a number badly."""
    if at >= frame.shape[0]:
        return -REFUSED_SYNTAX
    if byte_at(frame, at) == BACKSLASH:
        return -REFUSED_ESCAPE
    return -REFUSED_NUMBER


@borrowing_kernel(PAIR(FRAME, I64, I64, I64))
def read_long_units(frame: Frame, at: int, decimals: int, multiple: int) -> Pair:
    """Like `read_units`, for text of any length: every step is checked against int64."""
    end = frame.shape[0]
    units = 0
    missing = decimals
    in_fraction = False
    digits = 0
    while at < end:
        byte = byte_at(frame, at)
        if byte == DOT and not in_fraction and digits > 0:
            in_fraction = True
            digits = 0
        elif byte < ZERO or byte > NINE:
            break
        elif in_fraction and missing == 0:
            if byte != ZERO:
                return -REFUSED_OFF_GRID, 0
            digits += 1
        else:
            if units > LAST_SAFE or (units == LAST_SAFE and byte - ZERO > LAST_SAFE_DIGIT):
                return -REFUSED_DIGITS, 0
            units = units * 10 + byte - ZERO
            digits += 1
            if in_fraction:
                missing -= 1
        at += 1
    if digits == 0:
        return refuse_number(frame, at), 0
    while missing > 0:
        if units > LAST_SAFE:
            return -REFUSED_DIGITS, 0
        units *= 10
        missing -= 1
    quotient = units // multiple
    if quotient * multiple != units:
        return -REFUSED_OFF_GRID, 0
    return at, quotient


@borrowing_kernel(PAIR(FRAME, I64, I64, I64))
def read_scientific_units(frame: Frame, at: int, decimals: int, multiple: int) -> Pair:
    """Like `read_units`, for a number with an exponent of up to MAX_EXPONENT digits. One without is off the grid: the caller saw
    more decimals than the grid has, and only an exponent could have made up for them.
    """
    end = frame.shape[0]
    mantissa = 0
    digits = 0
    fraction = 0
    in_fraction = False
    too_long = False
    while at < end:
        byte = byte_at(frame, at)
        if byte == DOT and not in_fraction and digits > 0:
            in_fraction = True
            digits = 0
        elif byte < ZERO or byte > NINE:
            break
        else:
            if mantissa > LAST_SAFE_MANTISSA:
                too_long = True
            else:
                mantissa = mantissa * 10 + byte - ZERO
            digits += 1
            if in_fraction:
                fraction += 1
        at += 1
    if digits == 0:
        return refuse_number(frame, at), 0
    if at >= end or (byte_at(frame, at) | LOWER) != LETTER_E:
        return -REFUSED_OFF_GRID, 0
    if too_long:
        return -REFUSED_DIGITS, 0
    at += 1
    negative = at < end and byte_at(frame, at) == MINUS
    if negative or (at < end and byte_at(frame, at) == PLUS):
        at += 1
    first = at
    exponent = 0
    while at < end and ZERO <= byte_at(frame, at) <= NINE:
        if at - first == MAX_EXPONENT:
            return -REFUSED_NUMBER, 0
        exponent = exponent * 10 + byte_at(frame, at) - ZERO
        at += 1
    if at == first:
        return refuse_number(frame, at), 0
    if mantissa == 0:
        return at, 0
    shift = (-exponent if negative else exponent) + decimals - fraction
    units = mantissa
    if shift > SAFE_DIGITS:
        return -REFUSED_DIGITS, 0
    if shift >= 0:
        power = int(POWERS_OF_TEN[shift])
        if mantissa > INT64_MAX // power:
            return -REFUSED_DIGITS, 0
        units = mantissa * power
    elif shift < -SAFE_DIGITS:
        return -REFUSED_OFF_GRID, 0
    else:
        power = int(POWERS_OF_TEN[-shift])
        units = mantissa // power
        if units * power != mantissa:
            return -REFUSED_OFF_GRID, 0
    quotient = units // multiple
    if quotient * multiple != units:
        return -REFUSED_OFF_GRID, 0
    return at, quotient
