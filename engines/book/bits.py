"""Bits of a 64-bit word held in an int64 (bit 63 is the sign), and arithmetic modulo 2^64."""

from __future__ import annotations

import numpy as np
from numba.cpython.unsafe.numbers import leading_zeros, trailing_zeros
from numba.extending import overload

_WORD = (1 << 64) - 1


def lowest_bit(word: int) -> int:
    """Index of the lowest set bit. `word` must not be 0."""
    value = int(word) & _WORD
    return (value & -value).bit_length() - 1


def highest_bit(word: int) -> int:
    """Index of the highest set bit. `word` must not be 0."""
    return (int(word) & _WORD).bit_length() - 1


# Inside kernels both are one machine instruction; as plain Python (NUMBA_DISABLE_JIT=1) the functions above run.
# No annotations here: numba compares the two signatures word by word.
@overload(lowest_bit)
def _lowest_bit(word):  # type: ignore[no-untyped-def]
    return lambda word: trailing_zeros(word)  # type: ignore[call-arg]  # noqa: PLW0108


@overload(highest_bit)
def _highest_bit(word):  # type: ignore[no-untyped-def]
    return lambda word: 63 - leading_zeros(word)  # type: ignore[call-arg]


def spot(index: int) -> int:
    """An index that is known not to be negative: spares the kernel the look whether it counts from the end."""
    return index


@overload(spot)
def _spot(index):  # type: ignore[no-untyped-def]
    return lambda index: np.uint64(index)  # noqa: PLW0108


def with_product(total: int, left: int, right: int) -> int:
    """`total + left * right` modulo 2^64, as an int64."""
    return ((int(total) + int(left) * int(right) + (1 << 63)) & _WORD) - (1 << 63)


@overload(with_product)
def _with_product(total, left, right):  # type: ignore[no-untyped-def]
    return lambda total, left, right: total + left * right
