"""Kernels that find their way through the objects and arrays of a frame by a compiled table: keys, expected texts, ways in and out."""

from __future__ import annotations

from numba import types

from engines.kernel import FRAME, I64, READ_I64_1, borrowing_kernel
from engines.wire.json_walk import (
    BACKSLASH,
    CLOSE_ARRAY,
    COLON,
    COMMA,
    LETTER_F,
    LETTER_T,
    OPEN_ARRAY,
    PAIR,
    QUOTE,
    SPACE,
    TO_CLOSER,
    Frame,
    Ints,
    Pair,
    byte_at,
    skip_literal,
    skip_space,
    skip_string,
)
from engines.wire.layout import REFUSED_SHAPE, REFUSED_SYNTAX
from engines.wire.table_layout import (
    ENTRY_LENGTH,
    ENTRY_SIZE,
    ENTRY_TEXT,
    ENTRY_WORD,
    NO_PARENT,
    NODE_CLOSE,
    NODE_CLOSERS,
    NODE_ENTRIES,
    NODE_INDEX,
    NODE_IS_ROW,
    NODE_KEYS,
    NODE_PARENT,
    OPTION_FALSE,
    OPTION_TRUE,
    WORD_BYTES,
)

TRIPLE = types.UniTuple(I64, 3)  # type: ignore[no-untyped-call]

UNKNOWN = 0  # no entry stands at offset 0 of a table
NO_OPTION = -1

ENDED = -1  # no element follows: the root, or a row of trades, is closed


@borrowing_kernel(I64(FRAME, I64, I64, I64, READ_I64_1, I64), inline=True)
def find_entry(frame: Frame, start: int, length: int, word: int, table: Ints, node: int) -> int:
    """The offset of the entry whose key stands at `start`, or UNKNOWN. `word` holds the key's first WORD_BYTES bytes."""
    entry = node + NODE_ENTRIES
    last = entry + ENTRY_SIZE * int(table[node + NODE_KEYS])
    while entry < last:
        if int(table[entry + ENTRY_WORD]) == word and int(table[entry + ENTRY_LENGTH]) == length:
            text = int(table[entry + ENTRY_TEXT])
            index = WORD_BYTES
            while index < length and byte_at(frame, start + index) == int(table[text + index]):
                index += 1
            if index >= length:
                return entry
        entry += ENTRY_SIZE
    return UNKNOWN


@borrowing_kernel(I64(READ_I64_1, I64, I64))
def find_element(table: Ints, node: int, index: int) -> int:
    """The offset of the entry for this element of an array, or UNKNOWN."""
    entry = node + NODE_ENTRIES
    last = entry + ENTRY_SIZE * int(table[node + NODE_KEYS])
    while entry < last:
        if int(table[entry + ENTRY_WORD]) == index:
            return entry
        entry += ENTRY_SIZE
    return UNKNOWN


@borrowing_kernel(PAIR(FRAME, I64, READ_I64_1, I64), inline=True)
def read_key(frame: Frame, at: int, table: Ints, node: int) -> Pair:
    """From a key's opening quote to its value: (position of the value, offset of the key's entry or UNKNOWN)."""
    end = frame.shape[0]
    if at >= end or byte_at(frame, at) != QUOTE:
        return -REFUSED_SYNTAX, UNKNOWN
    start = at + 1
    word, shift = 0, 0
    at = start
    while at < end:
        byte = byte_at(frame, at)
        if byte == QUOTE:
            break
        if byte == BACKSLASH or byte < SPACE or byte >= 0x80:
            break
        if shift < 8 * WORD_BYTES:
            word |= byte << shift
            shift += 8
        at += 1
    if at < end and byte_at(frame, at) == QUOTE:
        entry = find_entry(frame, start, at - start, word, table, node)
        at += 1
    else:
        # Not plain ASCII: no known key, and skip_string says whether it is a string at all.
        entry = UNKNOWN
        at = skip_string(frame, at)
        if at < 0:
            return at, UNKNOWN
    at = skip_space(frame, at)
    if at >= end or byte_at(frame, at) != COLON:
        return -REFUSED_SYNTAX, UNKNOWN
    return skip_space(frame, at + 1), entry


@borrowing_kernel(PAIR(FRAME, I64, READ_I64_1, I64))
def match_option(frame: Frame, at: int, table: Ints, options: int) -> Pair:
    """Which of the listed texts or literals stands here: (position after it, index), index NO_OPTION for none of them."""
    end = frame.shape[0]
    if at >= end:
        return -REFUSED_SYNTAX, NO_OPTION
    first = byte_at(frame, at)
    start = at + 1
    if first == QUOTE:
        at = skip_string(frame, start)
        length = at - 1 - start
    elif first in (LETTER_T, LETTER_F):
        at = skip_literal(frame, at)
        length = OPTION_TRUE if first == LETTER_T else OPTION_FALSE
    else:
        return -REFUSED_SHAPE, NO_OPTION
    if at < 0:
        return at, NO_OPTION
    cell = options + 1
    for index in range(table[options]):
        size = int(table[cell])
        cell += 1
        if size == length:
            same = 0
            while same < size and byte_at(frame, start + same) == int(table[cell + same]):
                same += 1
            if same >= size:
                return at, index
        if size > 0:
            cell += size
    return at, NO_OPTION


@borrowing_kernel(I64(FRAME, I64, I64))
def open_arrays(frame: Frame, at: int, count: int) -> int:
    """Into `count` arrays, to the position of the first element (or of an empty array's `]`)."""
    end = frame.shape[0]
    while count > 0:
        if at >= end:
            return -REFUSED_SYNTAX
        if byte_at(frame, at) != OPEN_ARRAY:
            return -REFUSED_SHAPE
        at = skip_space(frame, at + 1)
        count -= 1
    return at


@borrowing_kernel(I64(FRAME, I64, I64))
def close_arrays(frame: Frame, at: int, count: int) -> int:
    """Out of `count` arrays that hold one element each: a second element is refused."""
    end = frame.shape[0]
    while count > 0:
        at = skip_space(frame, at)
        if at >= end:
            return -REFUSED_SYNTAX
        byte = byte_at(frame, at)
        if byte != CLOSE_ARRAY:
            return -REFUSED_SHAPE if byte == COMMA else -REFUSED_SYNTAX
        at += 1
        count -= 1
    return at


@borrowing_kernel(I64(FRAME, I64, READ_I64_1, I64))
def open_node(frame: Frame, at: int, table: Ints, node: int) -> int:
    """Into an object or array: to its first key or element, or to its end."""
    if at >= frame.shape[0]:
        return -REFUSED_SYNTAX
    if byte_at(frame, at) + TO_CLOSER != int(table[node + NODE_CLOSE]):
        return -REFUSED_SHAPE
    return skip_space(frame, at + 1)


@borrowing_kernel(TRIPLE(FRAME, I64, READ_I64_1, I64, I64), inline=True)
def after_member(frame: Frame, at: int, table: Ints, node: int, index: int) -> tuple[int, int, int]:
    """From behind a value to the next key or element, out of every node that ends on the way: (position, node, number of the element).

    In an object the number says nothing. Where the root or a row ends: (position behind it, that node, ENDED).
    """
    end = frame.shape[0]
    while True:
        at = skip_space(frame, at)
        if at >= end:
            return -REFUSED_SYNTAX, node, ENDED
        byte = byte_at(frame, at)
        at += 1
        if byte == COMMA:
            return skip_space(frame, at), node, index + 1
        if byte != int(table[node + NODE_CLOSE]):
            return -REFUSED_SYNTAX, node, ENDED
        parent = int(table[node + NODE_PARENT])
        if parent == NO_PARENT or int(table[node + NODE_IS_ROW]) != 0:
            return at, node, ENDED
        at = close_arrays(frame, at, int(table[node + NODE_CLOSERS]))
        if at < 0:
            return at, node, ENDED
        index = int(table[node + NODE_INDEX])
        node = parent
