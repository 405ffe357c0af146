"""Book frames (and REST snapshots) from bytes to integers in one pass.

    compiled = compile_book_grammar(grammar, scale, market)
    code = scan_book(np.frombuffer(frame, np.uint8), compiled.table, header, levels)

`scan_book` is a kernel and may be called from other kernels. What it accepts it reads exactly as `engines.wire.plain` does;
anything it is not sure of it refuses with a REFUSED_* code, and the plain path decides.
"""

from __future__ import annotations

from engines.kernel import FRAME, I64, I64_1, I64_3, READ_I64_1, borrowing_kernel
from engines.wire.json_walk import (
    CLOSE_OBJECT,
    LETTER_N,
    Frame,
    Ints,
    byte_at,
    skip_literal,
    skip_scalar,
    skip_space,
    skip_value,
)
from engines.wire.layout import (
    ASK_COUNT,
    BID_COUNT,
    KIND,
    OK,
    PRESENT,
    REFUSED_DUPLICATE,
    REFUSED_MARKET,
    REFUSED_MISSING,
    REFUSED_SYNTAX,
)
from engines.wire.level_rows import scan_side
from engines.wire.object_walk import (
    ENDED,
    NO_OPTION,
    UNKNOWN,
    after_member,
    close_arrays,
    find_element,
    match_option,
    open_arrays,
    open_node,
    read_key,
)
from engines.wire.row_facts import read_level
from engines.wire.slots import read_slot
from engines.wire.table_layout import (
    BOTH_SIDES,
    COUNT_ROLE,
    DEFAULT_KIND,
    ENTRY_ACTION,
    ENTRY_ARGUMENT,
    ENTRY_BIT,
    ENTRY_OPENERS,
    INTEGER,
    KIND_TEXT,
    LEVELS,
    NODE,
    NODE_CLOSE,
    PRICE_ROLE,
    REQUIRED,
    ROLE,
    ROOT,
    SIDE_ROLE,
    SINGLE,
    SIZE_ROLE,
)
from engines.wire.tables import CompiledBookGrammar, compile_book_grammar

__all__ = ["CompiledBookGrammar", "compile_book_grammar", "scan_book"]


@borrowing_kernel(I64(FRAME, I64, READ_I64_1, I64, I64_1), inline=True)
def scan_slots(frame: Frame, at: int, table: Ints, slots: int, header: Ints) -> int:
    """One value into every slot of the header it stands for."""
    start = at
    if int(table[slots + 1]) != 0 and at < frame.shape[0] and byte_at(frame, at) == LETTER_N:
        return skip_literal(frame, at)
    cell = slots + 2
    for _ in range(int(table[slots])):
        slot = int(table[cell])
        at, value = read_slot(frame, start, int(table[cell + 1]), int(table[cell + 2]))
        if at < 0:
            return at
        header[slot] = value
        header[PRESENT] |= 1 << slot
        cell += 3
    return at


@borrowing_kernel(I64(FRAME, READ_I64_1, I64_1, I64_3))
def scan_book(frame: Frame, table: Ints, header: Ints, levels: Ints) -> int:
    """Reads one frame.

    Args:
        frame: uint8[n], the bytes as received (read-only: np.frombuffer of bytes).
        table: int64[k], `CompiledBookGrammar.table` (read-only).
        header: int64[HEADER_SIZE], overwritten.
        levels: int64[2, capacity, 2], rows [side, row, (tick, lots)] overwritten up to the counts in `header`.

    Returns:
        OK, or the REFUSED_* code; after a refusal `header` and `levels` hold nothing of use.
    """
    end = frame.shape[0]
    for slot in range(header.shape[0]):
        header[slot] = 0
    header[KIND] = int(table[DEFAULT_KIND])
    node = int(table[ROOT])
    at = open_node(frame, skip_space(frame, 0), table, node)
    if at < 0:
        return -at
    price_at, size_at, side_at, count_at = 0, 0, 0, 0  # of the only row
    index = 0
    seen = 0
    fresh = True
    while True:
        if not (fresh and at < end and byte_at(frame, at) == int(table[node + NODE_CLOSE])):
            if int(table[node + NODE_CLOSE]) == CLOSE_OBJECT:
                at, entry = read_key(frame, at, table, node)
                if at < 0:
                    return -at
            else:
                entry = find_element(table, node, index)
            if entry == UNKNOWN:
                at = skip_value(frame, at)
            else:
                if seen & int(table[entry + ENTRY_BIT]):
                    return REFUSED_DUPLICATE
                seen |= int(table[entry + ENTRY_BIT])
                openers = int(table[entry + ENTRY_OPENERS])
                action = int(table[entry + ENTRY_ACTION])
                argument = int(table[entry + ENTRY_ARGUMENT])
                if openers != 0:
                    at = open_arrays(frame, at, openers)
                    if at < 0:
                        return -at
                if action == NODE:
                    at = open_node(frame, at, table, argument)
                    if at < 0:
                        return -at
                    node = argument
                    index = 0
                    fresh = True
                    continue
                if action == LEVELS:
                    at = scan_side(frame, at, table, argument, header, levels)
                    if argument == BOTH_SIDES:
                        header[PRESENT] |= 1 << BID_COUNT | 1 << ASK_COUNT
                    else:
                        header[PRESENT] |= 1 << (BID_COUNT + argument)
                elif action == INTEGER:
                    at = scan_slots(frame, at, table, argument, header)
                elif action == ROLE:
                    if argument == PRICE_ROLE:
                        price_at = at
                    elif argument == SIZE_ROLE:
                        size_at = at
                    elif argument == SIDE_ROLE:
                        side_at = at
                    elif argument == COUNT_ROLE:
                        count_at = at
                    at = skip_scalar(frame, at)
                else:
                    at, option = match_option(frame, at, table, argument)
                    if at >= 0 and option == NO_OPTION:
                        return REFUSED_MARKET
                    if action == KIND_TEXT:
                        header[KIND] = option
                        header[PRESENT] |= 1 << KIND
                if at >= 0 and openers != 0:
                    at = close_arrays(frame, at, openers)
            if at < 0:
                return -at
        at, node, index = after_member(frame, at, table, node, index)
        if at < 0:
            return -at
        if index == ENDED:
            break
        fresh = False
    if skip_space(frame, at) != end:
        return REFUSED_SYNTAX
    if seen & int(table[REQUIRED]) != int(table[REQUIRED]):
        return REFUSED_MISSING
    if int(table[SINGLE]) != 0:
        header[PRESENT] |= 1 << BID_COUNT | 1 << ASK_COUNT
        return -read_level(frame, price_at, size_at, side_at, count_at, table, BOTH_SIDES, header, levels)
    return OK
