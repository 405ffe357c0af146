"""A venue's checksum over the best levels: the text it is made of, written from the ladder, and its CRC32.

    digits   the 10 best asks, then the 10 best bids; of each level the digits of price and size at the wire's own number of
             decimals, without point and leading zeros ("45285.2", "0.00100000" -> "452852" "100000")
    tokens   of the 25 best bids and asks in turn: bid price, bid size, ask price, minus ask size, joined by ":"; numbers as
             JavaScript prints them ("0.000001", "1e-7")

A level's numbers are `units * multiple` at the grid's decimals, so no text of the wire is kept: an integer has no leading zeros, and
how JavaScript prints a number follows from its digits. Sources: Kraken's book v2 guide, Bitfinex's book checksum guide.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import types

from engines.book.ladder import find_above, find_below, lots_at
from engines.book.memory import BEST, Block
from engines.kernel import I64, I64_1, READ_I64_1, borrowing_kernel
from engines.wire.grammar import Checksum
from engines.wire.layout import ASK, BID
from engines.wire.layout import CHECKSUM as CHECKSUM_SLOT
from engines.wire.scale import Scale

Ints = npt.NDArray[np.int64]
Text = npt.NDArray[np.uint8]

DIGITS: Final = 1
TOKENS: Final = 2
_KINDS: Final[dict[Checksum, int]] = {"digits": DIGITS, "tokens": TOKENS}

DIGITS_DEPTH: Final = 10  # levels a side
TOKENS_DEPTH: Final = 25
# 25 levels a side, each with two numbers of at most 19 digits, a sign, a point, zeros or an exponent, and a colon: 100 * 30.
TEXT_SIZE: Final = 4_096
UNTELLABLE: Final = -1  # in place of a length: a number beyond int64, so no checksum agrees

_POLYNOMIAL: Final = 0xEDB88320
_ALL_ONES: Final = 0xFFFFFFFF
_INT64_MAX: Final = 2**63 - 1
_MINUS, _POINT, _ZERO, _COLON, _E = (ord(character) for character in "-.0:e")
_PLAIN_ZEROS: Final = 6  # JavaScript writes an exponent when more than five zeros would follow the point

TEXT = types.uint8[::1]


def _crc_table() -> Ints:
    """What each byte adds to a CRC32 (reflected, polynomial 0xEDB88320): int64[256], read-only."""
    table = np.zeros(256, np.int64)
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table[byte] = value
    table.flags.writeable = False
    return table


CRC_TABLE: Final = _crc_table()


@borrowing_kernel(I64(TEXT, I64, READ_I64_1))
def crc32(text: Text, length: int, table: Ints) -> int:
    """CRC32 of the first `length` bytes, as zlib's: 0 ... 2^32 - 1. `table`: CRC_TABLE."""
    crc = _ALL_ONES
    for index in range(length):
        crc = int(table[(crc ^ int(text[index])) & 255]) ^ (crc >> 8)
    return crc ^ _ALL_ONES


@borrowing_kernel(I64(TEXT, I64, I64))
def write_integer(text: Text, at: int, value: int) -> int:
    """Decimal digits of `value` (0 or more) from `at` on. Returns where they end."""
    end = at + 1
    rest = value // 10
    while rest > 0:
        end += 1
        rest //= 10
    place = end
    while place > at:
        place -= 1
        text[place] = _ZERO + value % 10
        value //= 10
    return end


@borrowing_kernel(I64(TEXT, I64, I64, I64))
def write_number(text: Text, at: int, value: int, decimals: int) -> int:
    """`value * 10**-decimals` (above 0) as JavaScript prints it. Returns where it ends."""
    while decimals > 0 and value % 10 == 0:
        value //= 10
        decimals -= 1
    end = write_integer(text, at, value)
    if decimals == 0:
        return end
    digits = end - at
    whole = digits - decimals  # digits before the point; below 0: zeros after it
    if whole > 0:
        for place in range(end, at + whole, -1):
            text[place] = text[place - 1]
        text[at + whole] = _POINT
        return end + 1
    if whole > -_PLAIN_ZEROS:
        shift = 2 - whole
        for place in range(end - 1, at - 1, -1):
            text[place + shift] = text[place]
        for place in range(at, at + shift):
            text[place] = _ZERO
        text[at + 1] = _POINT
        return end + shift
    if digits > 1:
        for place in range(end, at + 1, -1):
            text[place] = text[place - 1]
        text[at + 1] = _POINT
        end += 1
    text[end] = _E
    text[end + 1] = _MINUS
    return write_integer(text, end + 2, 1 - whole)


@borrowing_kernel(I64(I64_1, I64, I64))
def next_tick(block: Ints, side: int, tick: int) -> int:
    """The next level away from the touch, -1 after the last."""
    return find_below(block, BID, tick - 1) if side == BID else find_above(block, ASK, tick + 1)


@borrowing_kernel(I64(I64_1, I64, I64, TEXT))
def write_digits(block: Ints, price_multiple: int, size_multiple: int, text: Text) -> int:
    """The text of a `digits` checksum. Returns its length, or UNTELLABLE."""
    at = 0
    for turn in range(2):
        side = ASK if turn == 0 else BID
        tick = block[BEST + side]
        taken = 0
        while tick >= 0 and taken < DIGITS_DEPTH:
            lots = lots_at(block, side, tick)
            if tick > _INT64_MAX // price_multiple or lots > _INT64_MAX // size_multiple:
                return UNTELLABLE
            at = write_integer(text, at, tick * price_multiple)
            at = write_integer(text, at, lots * size_multiple)
            tick = next_tick(block, side, tick)
            taken += 1
    return at


@borrowing_kernel(I64(I64_1, I64, I64, I64, I64, TEXT))
def write_tokens(
    block: Ints, price_decimals: int, price_multiple: int, size_decimals: int, size_multiple: int, text: Text
) -> int:
    """The text of a `tokens` checksum. Returns its length, or UNTELLABLE."""
    at = 0
    bid, ask = block[BEST + BID], block[BEST + ASK]
    for _ in range(TOKENS_DEPTH):
        for side in range(2):
            tick = bid if side == BID else ask
            if tick < 0:
                continue
            lots = lots_at(block, side, tick)
            if tick > _INT64_MAX // price_multiple or lots > _INT64_MAX // size_multiple:
                return UNTELLABLE
            if at > 0:
                text[at] = _COLON
                at += 1
            at = write_number(text, at, tick * price_multiple, price_decimals)
            text[at] = _COLON
            at += 1
            if side == ASK:
                text[at] = _MINUS
                at += 1
            at = write_number(text, at, lots * size_multiple, size_decimals)
        if bid >= 0:
            bid = next_tick(block, BID, bid)
        if ask >= 0:
            ask = next_tick(block, ASK, ask)
    return at


@borrowing_kernel(I64(I64_1, I64, I64, I64, I64, I64, TEXT, READ_I64_1))
def checksum(
    block: Ints,
    kind: int,
    price_decimals: int,
    price_multiple: int,
    size_decimals: int,
    size_multiple: int,
    text: Text,
    table: Ints,
) -> int:
    """The checksum of the book as it stands.

    Args:
        kind: DIGITS (unsigned) or TOKENS (signed).
        price_decimals ... size_multiple: the market's grids.
        text: uint8[TEXT_SIZE], overwritten.
        table: CRC_TABLE.

    Returns:
        The CRC32; 2^32 when a number is beyond int64.
    """
    if kind == DIGITS:
        length = write_digits(block, price_multiple, size_multiple, text)
    else:
        length = write_tokens(block, price_decimals, price_multiple, size_decimals, size_multiple, text)
    if length < 0:
        return _ALL_ONES + 1
    crc = crc32(text, length, table)
    return crc - (_ALL_ONES + 1) if kind == TOKENS and crc > _ALL_ONES >> 1 else crc


class BookChecksum:
    """Compares a book with the checksum a frame carries. `scale` must have the wire's own number of decimals."""

    __slots__ = ("_kind", "_numbers", "_text")

    def __init__(self, kind: Checksum, scale: Scale) -> None:
        self._kind = _KINDS[kind]
        self._numbers = (scale.price.decimals, scale.price.multiple, scale.size.decimals, scale.size.multiple)
        self._text: Text = np.zeros(TEXT_SIZE, np.uint8)

    def of(self, block: Block) -> int:
        """The checksum of the book as it stands; 2^32 when a number is beyond int64."""
        return int(checksum(block, self._kind, *self._numbers, self._text, CRC_TABLE))

    def agrees(self, block: Block, header: Ints) -> bool:
        """Whether the book is what the frame with this header says."""
        found = self.of(block)
        return found <= _ALL_ONES and found == int(header[CHECKSUM_SLOT])
