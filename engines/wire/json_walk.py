"""Kernels that walk over JSON text: white space, strings, scalars. Stricter than JSON where answers could differ.

Every kernel takes a position and returns the position after what it read, or minus a REFUSED_* code. A position is always
checked against the frame's end before a byte is read.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numpy.typing import NDArray

from engines.kernel import FRAME, I64, borrowing_kernel
from engines.wire.layout import (
    REFUSED_ESCAPE,
    REFUSED_NUMBER,
    REFUSED_SHAPE,
    REFUSED_SYNTAX,
)

Frame = NDArray[np.uint8]
Ints = NDArray[np.int64]
Pair = tuple[int, int]
PAIR = types.UniTuple(I64, 2)  # type: ignore[no-untyped-call]

SPACE = 0x20
WHITE = 1 << SPACE | 1 << 0x0A | 1 << 0x0D | 1 << 0x09  # bit b: byte b is white space
QUOTE, BACKSLASH, COMMA, COLON, DOT, MINUS, PLUS = 0x22, 0x5C, 0x2C, 0x3A, 0x2E, 0x2D, 0x2B
OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY = 0x7B, 0x7D, 0x5B, 0x5D
TO_CLOSER = 2  # from the byte that opens an object or an array to the one that closes it
ZERO, NINE = 0x30, 0x39
LETTER_E, LETTER_F, LETTER_N, LETTER_T = 0x65, 0x66, 0x6E, 0x74
LOWER = 0x20  # this bit makes a letter lower case

TRUE = np.frombuffer(b"true", np.uint8)
FALSE = np.frombuffer(b"false", np.uint8)
NULL = np.frombuffer(b"null", np.uint8)


# An unknown value nested deeper goes to the plain path; one bit of an int64 for each level.
MAX_DEPTH = 60
# A skipped number of more characters goes to the plain path: parsers part ways on very long ones.
MAX_SKIPPED_NUMBER = 64


@borrowing_kernel(I64(FRAME, I64), inline=True)
def byte_at(frame: Frame, at: int) -> int:
    """One byte, widened. An unsigned index spares the test for negative ones, which costs a fifth of a frame's time."""
    return int(frame[np.uintp(at)])


@borrowing_kernel(I64(FRAME, I64), inline=True)
def skip_space(frame: Frame, at: int) -> int:
    """The first position from `at` on that is not JSON white space; the frame's length at its end."""
    end = frame.shape[0]
    while at < end:
        byte = byte_at(frame, at)
        if byte > SPACE or (WHITE >> byte) & 1 == 0:
            break
        at += 1
    return at


@borrowing_kernel(I64(FRAME, I64))
def skip_wide_character(frame: Frame, at: int) -> int:
    """Over one UTF-8 character of two to four bytes (RFC 3629: shortest form, no surrogates, up to U+10FFFF)."""
    first = byte_at(frame, at)
    low, high = 0x80, 0xBF
    if 0xC2 <= first <= 0xDF:
        more = 1
    elif 0xE0 <= first <= 0xEF:
        more = 2
        if first == 0xE0:
            low = 0xA0
        elif first == 0xED:
            high = 0x9F
    elif 0xF0 <= first <= 0xF4:
        more = 3
        if first == 0xF0:
            low = 0x90
        elif first == 0xF4:
            high = 0x8F
    else:
        return -REFUSED_SYNTAX
    if at + more >= frame.shape[0]:
        return -REFUSED_SYNTAX
    for step in range(1, more + 1):
        byte = byte_at(frame, at + step)
        if byte < low or byte > high:
            return -REFUSED_SYNTAX
        low, high = 0x80, 0xBF
    return at + more + 1


@borrowing_kernel(I64(FRAME, I64))
def skip_string(frame: Frame, at: int) -> int:
    """From the first byte inside a string to the position after its closing quote."""
    end = frame.shape[0]
    while at < end:
        byte = byte_at(frame, at)
        if byte == QUOTE:
            return at + 1
        if byte < SPACE:
            return -REFUSED_SYNTAX
        if byte == BACKSLASH:
            return -REFUSED_ESCAPE
        if byte < 0x80:
            at += 1
        else:
            at = skip_wide_character(frame, at)
            if at < 0:
                return at
    return -REFUSED_SYNTAX


@borrowing_kernel(I64(FRAME, I64), inline=True)
def skip_digits(frame: Frame, at: int) -> int:
    end = frame.shape[0]
    while at < end and ZERO <= byte_at(frame, at) <= NINE:
        at += 1
    return at


@borrowing_kernel(I64(FRAME, I64))
def skip_number(frame: Frame, at: int) -> int:
    """Over a bare JSON number of at most MAX_SKIPPED_NUMBER characters."""
    end = frame.shape[0]
    start = at
    if byte_at(frame, at) == MINUS:
        at += 1
    digits = at
    at = skip_digits(frame, at)
    if at == digits or (at - digits > 1 and byte_at(frame, digits) == ZERO):
        return -REFUSED_SYNTAX
    if at < end and byte_at(frame, at) == DOT:
        digits = at + 1
        at = skip_digits(frame, digits)
        if at == digits:
            return -REFUSED_SYNTAX
    if at < end and (byte_at(frame, at) | LOWER) == LETTER_E:
        at += 1
        if at < end and byte_at(frame, at) in (PLUS, MINUS):
            at += 1
        digits = at
        at = skip_digits(frame, at)
        if at == digits:
            return -REFUSED_SYNTAX
    if at - start > MAX_SKIPPED_NUMBER:
        return -REFUSED_NUMBER
    return at


@borrowing_kernel(I64(FRAME, I64))
def skip_literal(frame: Frame, at: int) -> int:
    """Over `true`, `false` or `null`."""
    first = byte_at(frame, at)
    if first == LETTER_T:
        text = TRUE
    elif first == LETTER_F:
        text = FALSE
    elif first == LETTER_N:
        text = NULL
    else:
        return -REFUSED_SYNTAX
    length = len(text)
    if at + length > frame.shape[0]:
        return -REFUSED_SYNTAX
    for index in range(length):
        if byte_at(frame, at + index) != int(text[index]):
            return -REFUSED_SYNTAX
    return at + length


@borrowing_kernel(I64(FRAME, I64))
def skip_scalar(frame: Frame, at: int) -> int:
    """Over a number, a text or a literal nobody asked for. An object or an array is refused."""
    if at >= frame.shape[0]:
        return -REFUSED_SYNTAX
    byte = byte_at(frame, at)
    if byte == QUOTE:
        return skip_string(frame, at + 1)
    if byte == MINUS or ZERO <= byte <= NINE:
        return skip_number(frame, at)
    if byte in (OPEN_OBJECT, OPEN_ARRAY):
        return -REFUSED_SHAPE
    return skip_literal(frame, at)


@borrowing_kernel(I64(FRAME, I64))
def skip_key(frame: Frame, at: int) -> int:
    """From a key's opening quote to its value."""
    end = frame.shape[0]
    if at >= end or byte_at(frame, at) != QUOTE:
        return -REFUSED_SYNTAX
    at = skip_string(frame, at + 1)
    if at < 0:
        return at
    at = skip_space(frame, at)
    if at >= end or byte_at(frame, at) != COLON:
        return -REFUSED_SYNTAX
    return skip_space(frame, at + 1)


@borrowing_kernel(I64(FRAME, I64))
def skip_nested(frame: Frame, at: int) -> int:
    """Over a value that may be an object or an array, nested up to MAX_DEPTH."""
    end = frame.shape[0]
    depth = 0
    objects = 0  # a stack of bits, the innermost lowest: 1 for an object, 0 for an array
    while True:
        byte = byte_at(frame, at) if at < end else 0
        if byte in (OPEN_OBJECT, OPEN_ARRAY):
            if depth == MAX_DEPTH:
                return -REFUSED_SHAPE
            depth += 1
            objects = objects << 1 | (1 if byte == OPEN_OBJECT else 0)
            at = skip_space(frame, at + 1)
            if at >= end or byte_at(frame, at) != byte + TO_CLOSER:
                if objects & 1:
                    at = skip_key(frame, at)
                    if at < 0:
                        return at
                continue
        else:
            at = skip_scalar(frame, at)
            if at < 0:
                return at
        while depth > 0:
            at = skip_space(frame, at)
            if at >= end:
                return -REFUSED_SYNTAX
            byte = byte_at(frame, at)
            at += 1
            if byte == COMMA:
                at = skip_space(frame, at)
                if objects & 1:
                    at = skip_key(frame, at)
                    if at < 0:
                        return at
                break
            if byte != (CLOSE_OBJECT if objects & 1 else CLOSE_ARRAY):
                return -REFUSED_SYNTAX
            objects >>= 1
            depth -= 1
        if depth == 0:
            return at


@borrowing_kernel(I64(FRAME, I64), inline=True)
def skip_value(frame: Frame, at: int) -> int:
    """Over any value nobody asked for."""
    if at < frame.shape[0] and byte_at(frame, at) in (OPEN_OBJECT, OPEN_ARRAY):
        return skip_nested(frame, at)
    return skip_scalar(frame, at)
