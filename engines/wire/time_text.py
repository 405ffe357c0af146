"""Kernel from RFC 3339 text to nanoseconds: the form venues send, `"2026-04-07T14:30:00.123456Z"`; others are the plain path's."""

from __future__ import annotations

import numpy as np

from engines.kernel import FRAME, I64, borrowing_kernel
from engines.wire.decimal_long import POWERS_OF_TEN, refuse_number
from engines.wire.json_walk import COLON, DOT, MINUS, NINE, PAIR, QUOTE, ZERO, Frame, Pair, byte_at
from engines.wire.layout import REFUSED_DIGITS, REFUSED_NUMBER, REFUSED_SHAPE, REFUSED_SYNTAX

LETTER_UPPER_T, LETTER_UPPER_Z = 0x54, 0x5A

WHOLE = 19  # characters down to the second
FRACTION = 9  # digits of a second, down to ns
SECOND = 10**9
FIRST_YEAR, LAST_YEAR = 1970, 2261  # whole years that fit int64 ns
LEAP_DAYS_BEFORE = 1969 // 4 - 1969 // 100 + 1969 // 400  # 1970
DAYS_BEFORE = np.array(
    [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365], np.int64
)  # a month, in a common year


@borrowing_kernel(I64(FRAME, I64), inline=True)
def two_digits(frame: Frame, at: int) -> int:
    """A number of two digits, or a negative one far below any sum of such numbers."""
    tens, ones = byte_at(frame, at) - ZERO, byte_at(frame, at + 1) - ZERO
    if tens < 0 or tens > 9 or ones < 0 or ones > 9:
        return -(10**6)
    return tens * 10 + ones


@borrowing_kernel(PAIR(FRAME, I64))
def read_time(frame: Frame, at: int) -> Pair:
    """From the opening quote to after the closing one: (position, ns since 1970)."""
    end = frame.shape[0]
    if at >= end:
        return -REFUSED_SYNTAX, 0
    if byte_at(frame, at) != QUOTE:
        return -REFUSED_SHAPE, 0
    at += 1
    if at + WHOLE >= end:
        return -REFUSED_SYNTAX, 0
    year = two_digits(frame, at) * 100 + two_digits(frame, at + 2)
    month, day = two_digits(frame, at + 5), two_digits(frame, at + 8)
    hour, minute, second = two_digits(frame, at + 11), two_digits(frame, at + 14), two_digits(frame, at + 17)
    if (
        byte_at(frame, at + 4) != MINUS
        or byte_at(frame, at + 7) != MINUS
        or byte_at(frame, at + 10) != LETTER_UPPER_T
        or byte_at(frame, at + 13) != COLON
        or byte_at(frame, at + 16) != COLON
        or year < 0
        or month < 1
        or month > 12
        or day < 1
        or hour < 0
        or hour > 23
        or minute < 0
        or minute > 59
        or second < 0
        or second > 59
    ):
        return -REFUSED_NUMBER, 0
    if year < FIRST_YEAR or year > LAST_YEAR:
        return -REFUSED_DIGITS, 0
    leap = 1 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 0
    before = int(DAYS_BEFORE[month - 1])
    if day > int(DAYS_BEFORE[month]) - before + (leap if month == 2 else 0):
        return -REFUSED_NUMBER, 0
    past = year - 1
    days = (year - FIRST_YEAR) * 365 + past // 4 - past // 100 + past // 400 - LEAP_DAYS_BEFORE
    days += before + (leap if month > 2 else 0) + day - 1
    time = (((days * 24 + hour) * 60 + minute) * 60 + second) * SECOND
    at += WHOLE
    if byte_at(frame, at) == DOT:
        at += 1
        start = at
        fraction = 0
        while at < end and ZERO <= byte_at(frame, at) <= NINE:
            if at - start == FRACTION:
                return -REFUSED_DIGITS, 0
            fraction = fraction * 10 + byte_at(frame, at) - ZERO
            at += 1
        if at == start:
            return refuse_number(frame, at), 0
        time += fraction * int(POWERS_OF_TEN[FRACTION - (at - start)])
    if at + 1 >= end or byte_at(frame, at) != LETTER_UPPER_Z or byte_at(frame, at + 1) != QUOTE:
        return (refuse_number(frame, at) if at < end else -REFUSED_SYNTAX), 0
    return at + 2, time
