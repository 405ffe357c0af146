"""Trade frames from bytes to integers in one pass.

    compiled = compile_trade_grammar(grammar, scale, market)
    count = scan_trades(np.frombuffer(frame, np.uint8), compiled.table, trades)

The same refusals as in `engines.wire.book_scan`: what this reads, the plain path reads the same way.
"""

from __future__ import annotations

from engines.kernel import FRAME, I64, I64_2, READ_I64_1, borrowing_kernel
from engines.wire.decimal_text import read_decimal
from engines.wire.json_walk import (
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COMMA,
    LETTER_F,
    LETTER_T,
    OPEN_ARRAY,
    PAIR,
    QUOTE,
    Frame,
    Ints,
    Pair,
    byte_at,
    skip_space,
    skip_value,
)
from engines.wire.layout import (
    BUY,
    REFUSED_CAPACITY,
    REFUSED_DUPLICATE,
    REFUSED_MARKET,
    REFUSED_MISSING,
    REFUSED_SHAPE,
    REFUSED_SYNTAX,
    SELL,
    TRADE_KEPT,
    TRADE_LOTS,
    TRADE_SIDE,
    TRADE_TICK,
)
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
from engines.wire.slots import read_slot
from engines.wire.table_layout import (
    ENTRY_ACTION,
    ENTRY_ARGUMENT,
    ENTRY_BIT,
    ENTRY_OPENERS,
    IGNORE,
    INTEGER,
    KEEP,
    NODE,
    NODE_CLOSE,
    NODE_INDEX,
    NODE_IS_ROW,
    NODE_PARENT,
    PRICE,
    PRICE_DECIMALS,
    PRICE_MULTIPLE,
    REQUIRED,
    ROOT,
    ROW_BITS,
    ROW_REQUIRED,
    ROWS,
    SIDE,
    SIGNED,
    SINGLE,
    SIZE,
    SIZE_DECIMALS,
    SIZE_MULTIPLE,
)
from engines.wire.tables import CompiledTradeGrammar, compile_trade_grammar

__all__ = ["CompiledTradeGrammar", "compile_trade_grammar", "scan_trades"]

NEXT_ROW = 1
IGNORED = 1  # this value marks a frame without flow


@borrowing_kernel(I64(I64_2, I64))
def clear_row(trades: Ints, row: int) -> int:
    for column in range(trades.shape[1]):
        trades[row, column] = 0
    trades[row, TRADE_KEPT] = 1
    return row


@borrowing_kernel(I64(I64_2, I64))
def settle_row(trades: Ints, row: int) -> int:
    """A print without a price or without a size is not a trade: Binance's last print may be price "0", quantity "0"."""
    if int(trades[row, TRADE_TICK]) == 0 or int(trades[row, TRADE_LOTS]) == 0:
        trades[row, TRADE_KEPT] = 0
    return row


@borrowing_kernel(I64(FRAME, I64, READ_I64_1, I64, I64, I64_2, I64))
def scan_field(frame: Frame, at: int, table: Ints, action: int, argument: int, trades: Ints, row: int) -> int:
    """One known value of a trade (or of the frame around it)."""
    if action == PRICE:
        at, value = read_decimal(frame, at, int(table[PRICE_DECIMALS]), int(table[PRICE_MULTIPLE]), 0)
        trades[row, TRADE_TICK] = value
    elif action == SIZE:
        signed = int(table[SIGNED])
        at, value = read_decimal(frame, at, int(table[SIZE_DECIMALS]), int(table[SIZE_MULTIPLE]), signed)
        trades[row, TRADE_LOTS] = abs(value)
        if signed != 0:
            trades[row, TRADE_SIDE] = SELL if value < 0 else BUY
    elif action == INTEGER:
        cell = argument + 2
        at, value = read_slot(frame, at, int(table[cell + 1]), int(table[cell + 2]))
        trades[row, int(table[cell])] = value
    else:
        at, option = match_option(frame, at, table, argument)
        if at < 0:
            return at
        if action == KEEP:
            if option == NO_OPTION:
                trades[row, TRADE_KEPT] = 0
        elif option == NO_OPTION:
            return -REFUSED_MARKET
        elif action == SIDE:
            trades[row, TRADE_SIDE] = SELL if option & 1 == 0 else BUY
    return at


@borrowing_kernel(PAIR(FRAME, I64, READ_I64_1, I64))
def scan_ignore(frame: Frame, at: int, table: Ints, argument: int) -> Pair:
    """A value that may mark a frame without flow, or must be the constant expected otherwise: (position after it, IGNORED or 0)."""
    expected = int(table[argument + 2]) != 0
    first = byte_at(frame, at) if at < frame.shape[0] else 0
    if first in (QUOTE, LETTER_T, LETTER_F):
        at, option = match_option(frame, at, table, argument + 3)
        if at < 0:
            return at, 0
        if option != NO_OPTION and option < int(table[argument]):
            return at, IGNORED
        return (-REFUSED_MARKET if expected and option == NO_OPTION else at), 0
    at = skip_value(frame, at)
    if at >= 0 and first == OPEN_ARRAY and int(table[argument + 1]) != 0:
        return at, IGNORED
    return (-REFUSED_SHAPE if expected and at >= 0 else at), 0


@borrowing_kernel(PAIR(FRAME, I64))
def after_row(frame: Frame, at: int) -> Pair:
    """From behind a row to the next one, or behind the array's `]`: (position, NEXT_ROW or ENDED)."""
    at = skip_space(frame, at)
    if at >= frame.shape[0]:
        return -REFUSED_SYNTAX, ENDED
    byte = byte_at(frame, at)
    if byte == COMMA:
        return skip_space(frame, at + 1), NEXT_ROW
    if byte != CLOSE_ARRAY:
        return -REFUSED_SYNTAX, ENDED
    return at + 1, ENDED


@borrowing_kernel(I64(FRAME, READ_I64_1, I64_2))
def scan_trades(frame: Frame, table: Ints, trades: Ints) -> int:
    """Reads one frame.

    Args:
        frame: uint8[n], the bytes as received (read-only: np.frombuffer of bytes).
        table: int64[k], `CompiledTradeGrammar.table` (read-only).
        trades: int64[capacity, TRADE_SIZE], overwritten up to the count. capacity >= 1.

    Returns:
        The number of trades (0 for an empty list and for a frame that the grammar ignores), or minus the REFUSED_* code; after a refusal `trades` holds nothing of use.
    """
    end = frame.shape[0]
    capacity = trades.shape[0]
    if capacity == 0:
        return -REFUSED_CAPACITY
    count = 0
    clear_row(trades, 0)
    node = int(table[ROOT])
    at = open_node(frame, skip_space(frame, 0), table, node)
    if at < 0:
        return at
    index = 0
    seen = 0
    ignored = 0
    fresh = True
    while True:
        if not (fresh and at < end and byte_at(frame, at) == int(table[node + NODE_CLOSE])):
            if int(table[node + NODE_CLOSE]) == CLOSE_OBJECT:
                at, entry = read_key(frame, at, table, node)
                if at < 0:
                    return at
            else:
                entry = find_element(table, node, index)
            if entry != UNKNOWN:
                if seen & int(table[entry + ENTRY_BIT]):
                    return -REFUSED_DUPLICATE
                seen |= int(table[entry + ENTRY_BIT])
            if entry == UNKNOWN or ignored != 0:
                at = skip_value(frame, at)
            else:
                openers = int(table[entry + ENTRY_OPENERS])
                action = int(table[entry + ENTRY_ACTION])
                argument = int(table[entry + ENTRY_ARGUMENT])
                if openers != 0:
                    at = open_arrays(frame, at, openers)
                    if at < 0:
                        return at
                if action == ROWS and at < end and byte_at(frame, at) == CLOSE_ARRAY:
                    at += 1
                elif action in (NODE, ROWS):
                    at = open_node(frame, at, table, argument)
                    if at < 0:
                        return at
                    node = argument
                    index = 0
                    fresh = True
                    continue
                else:
                    if action == IGNORE:
                        at, ignored = scan_ignore(frame, at, table, argument)
                    else:
                        at = scan_field(frame, at, table, action, argument, trades, count)
                    if at >= 0 and openers != 0:
                        at = close_arrays(frame, at, openers)
            if at < 0:
                return at
        fresh = False
        at, node, index = after_member(frame, at, table, node, index)
        if index == ENDED and int(table[node + NODE_IS_ROW]) != 0 and at >= 0:
            if seen & int(table[ROW_REQUIRED]) != int(table[ROW_REQUIRED]):
                return -REFUSED_MISSING
            settle_row(trades, count)
            count += 1
            seen &= ~int(table[ROW_BITS])
            at, more = after_row(frame, at)
            if more == NEXT_ROW:
                if count == capacity:
                    return -REFUSED_CAPACITY
                clear_row(trades, count)
                at = open_node(frame, at, table, node)
                index = 0
                fresh = True
            elif at >= 0:
                index = int(table[node + NODE_INDEX])
                at, node, index = after_member(frame, at, table, int(table[node + NODE_PARENT]), index)
        if at < 0:
            return at
        if index == ENDED:
            break
    if skip_space(frame, at) != end:
        return -REFUSED_SYNTAX
    if ignored != 0:
        return 0
    if seen & int(table[REQUIRED]) != int(table[REQUIRED]):
        return -REFUSED_MISSING
    if int(table[SINGLE]) != 0:
        settle_row(trades, 0)
        count = 1
    return count
