"""A grammar, a grid and a market's name compiled into one flat int64 table, so that a kernel call carries one argument.

The table is a tree of objects. A node lists the keys that matter in one object; an entry says what stands under a key.
Every known key of a frame owns one bit: the kernels collect seen bits, which finds duplicates and missing fields without
any other state. A row of a trade frame owns its bits once; they are cleared from row to row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.wire.grammar import BookGrammar, Path, TradeGrammar
from engines.wire.layout import BID_COUNT, KIND, TRADE_ID, TRADE_TIME
from engines.wire.scale import Scale

# Fixed slots at the head of a table.
PRICE_DECIMALS: Final = 0
PRICE_MULTIPLE: Final = 1
SIZE_DECIMALS: Final = 2
SIZE_MULTIPLE: Final = 3
ROW_PRICE: Final = 4
ROW_SIZE: Final = 5
QUOTED: Final = 6
DEFAULT_KIND: Final = 7
REQUIRED: Final = 8  # bits that must be seen in the frame
ROW_REQUIRED: Final = 9  # bits that must be seen in every row of trades
ROW_BITS: Final = 10  # bits that belong to rows, cleared between rows
ROOT: Final = 11  # offset of the root node
SINGLE: Final = 12  # 1: a trade frame is one trade
HEAD_SIZE: Final = 13

# A node: one object of the frame.
NODE_PARENT: Final = 0  # offset of the node around it; NO_PARENT for the root
NODE_CLOSERS: Final = 1  # how many `]` follow its `}` (one per step `0` in the path)
NODE_IS_ROW: Final = 2  # 1: an element of the array of trades
NODE_KEYS: Final = 3
NODE_ENTRIES: Final = 4
NO_PARENT: Final = -1

# An entry: one known key and what stands under it.
ENTRY_LENGTH: Final = 0  # of the key, bytes
ENTRY_WORD: Final = 1  # the key's first WORD_BYTES bytes, little-endian
ENTRY_TEXT: Final = 2  # offset of the key's bytes, one per element
ENTRY_BIT: Final = 3
ENTRY_OPENERS: Final = 4  # how many `[` stand before the value
ENTRY_ACTION: Final = 5
ENTRY_ARGUMENT: Final = 6
ENTRY_SIZE: Final = 7
WORD_BYTES: Final = 7  # seven, so that a word is never negative

# Actions, and what ENTRY_ARGUMENT means for each.
OBJECT: Final = 0  # offset of the node
ROWS: Final = 1  # offset of the node of one row
LEVELS: Final = 2  # side
INTEGER: Final = 3  # offset of [count, (slot of the header or column of `trades`, unit, limit)...]
TEXT: Final = 4  # offset of an option list with the only legal value
KIND_TEXT: Final = 5  # option list: delta, snapshot (the index is the kind)
PRICE: Final = 6
SIZE: Final = 7
SIDE: Final = 8  # option list: sold, bought
KEEP: Final = 9  # option list of values that count as flow

# Lengths in an option list that stand for the two literals.
OPTION_FALSE: Final = -1
OPTION_TRUE: Final = -2

MAX_KEYS: Final = 62  # one bit of an int64 each
INT64_MAX: Final = 2**63 - 1

Option = str | bool
Table = NDArray[np.int64]


@dataclass(slots=True)
class _Leaf:
    action: int
    required: bool
    options: tuple[Option, ...] = ()
    slots: list[tuple[int, int]] = field(default_factory=list)
    argument: int = 0


@dataclass(slots=True)
class _Node:
    keys: dict[str, _Entry] = field(default_factory=dict)
    is_row: bool = False


@dataclass(slots=True)
class _Entry:
    openers: int
    value: _Leaf | _Node


@dataclass(frozen=True, slots=True, eq=False)
class CompiledBookGrammar:
    """What `scan_book` needs to know about one market's book frames; `table` is int64[n], read-only."""

    grammar: BookGrammar
    scale: Scale
    market: str
    table: Table


@dataclass(frozen=True, slots=True, eq=False)
class CompiledTradeGrammar:
    """What `scan_trades` needs to know about one market's trade frames; `table` is int64[n], read-only."""

    grammar: TradeGrammar
    scale: Scale
    market: str
    table: Table


def compile_book_grammar(grammar: BookGrammar, scale: Scale, market: str) -> CompiledBookGrammar:
    """The table for one market.

    Raises:
        ValueError: two facts at one path, a fact below another fact, a key that is not plain ASCII, or too many keys.
    """
    root = _Node()
    for side, path in enumerate((grammar.bids, grammar.asks)):
        _add(root, path, _Leaf(LEVELS, grammar.sides_required, argument=side))
    for integer in grammar.integers:
        if not 0 <= integer.slot < BID_COUNT or integer.slot == KIND:
            raise ValueError(f"slot {integer.slot} of the header is not one that a field may fill")
        _add(root, integer.path, _Leaf(INTEGER, integer.required, slots=[(integer.slot, integer.unit)]))
    _add_texts(root, grammar.expects, grammar.market, market)
    if grammar.kind is not None:
        path, snapshot, delta = grammar.kind
        _add(root, path, _Leaf(KIND_TEXT, True, options=(delta, snapshot)))
    builder = _Builder(scale)
    builder.head[ROW_PRICE], builder.head[ROW_SIZE] = grammar.row.price, grammar.row.size
    builder.head[QUOTED] = int(grammar.row.quoted)
    builder.head[DEFAULT_KIND] = grammar.default_kind
    return CompiledBookGrammar(grammar, scale, market, builder.build(root))


def compile_trade_grammar(grammar: TradeGrammar, scale: Scale, market: str) -> CompiledTradeGrammar:
    """The table for one market.

    Raises:
        ValueError: as `compile_book_grammar`; also for a path from the root into the rows of a list.
    """
    root = _Node()
    fields: list[tuple[Path, _Leaf]] = [
        (grammar.price, _Leaf(PRICE, True)),
        (grammar.size, _Leaf(SIZE, True)),
        (grammar.side, _Leaf(SIDE, True, options=(grammar.taker_sell, grammar.taker_buy))),
        (grammar.time, _Leaf(INTEGER, True, slots=[(TRADE_TIME, grammar.time_unit)])),
        *((path, _Leaf(TEXT, True, options=(market,))) for path in grammar.row_market),
        *((path, _Leaf(KEEP, False, options=values)) for path, values in grammar.keep.items()),
    ]
    if grammar.identifier is not None:
        fields.append((grammar.identifier, _Leaf(INTEGER, True, slots=[(TRADE_ID, 1)])))
    if grammar.single:
        for path, leaf in fields:
            _add(root, grammar.rows + path, leaf)
    else:
        if grammar.rows[-1:] == (0,):
            raise ValueError(f"the path of a list of trades ends at its key, got {grammar.rows!r}")
        row = _Node(is_row=True)
        for path, leaf in fields:
            _add(row, path, leaf)
        _add(root, (*grammar.rows, 0), row)
    _add_texts(root, grammar.expects, grammar.market, market)
    builder = _Builder(scale)
    builder.head[QUOTED] = int(grammar.quoted)
    builder.head[SINGLE] = int(grammar.single)
    return CompiledTradeGrammar(grammar, scale, market, builder.build(root))


def _add_texts(root: _Node, expects: Mapping[Path, str], markets: Iterable[Path], market: str) -> None:
    for path, text in expects.items():
        _add(root, path, _Leaf(TEXT, True, options=(text,)))
    for path in markets:
        _add(root, path, _Leaf(TEXT, True, options=(market,)))


def _steps(path: Path) -> list[tuple[str, int]]:
    """A path as (key, number of arrays with one element behind it)."""
    steps: list[tuple[str, int]] = []
    for step in path:
        if isinstance(step, str):
            if not step or not step.isascii() or not step.isprintable() or '"' in step or "\\" in step:
                raise ValueError(f"a key in a path must be plain ASCII text, got {step!r}")
            steps.append((step, 0))
        elif step == 0 and steps:
            key, openers = steps[-1]
            steps[-1] = (key, openers + 1)
        else:
            raise ValueError(f"a path is keys, and 0 after a key for the only element of its array, got {path!r}")
    return steps


def _add(root: _Node, path: Path, value: _Leaf | _Node) -> None:
    steps = _steps(path)
    if not steps:
        raise ValueError("a path needs at least one key")
    node = root
    for key, openers in steps[:-1]:
        entry = node.keys.setdefault(key, _Entry(openers, _Node()))
        if isinstance(entry.value, _Leaf) or entry.value.is_row or entry.openers != openers:
            raise ValueError(f"the path {path!r} runs through another fact")
        node = entry.value
    key, openers = steps[-1]
    there = node.keys.get(key)
    if there is None:
        node.keys[key] = _Entry(openers, value)
    elif (
        isinstance(there.value, _Leaf)
        and isinstance(value, _Leaf)
        and there.value.action == value.action == INTEGER
        and there.openers == openers
    ):
        # One time field may stand for two slots.
        there.value.slots += value.slots
        there.value.required |= value.required
    else:
        raise ValueError(f"two facts at the path {path!r}")


class _Builder:
    """Lays nodes, entries and texts out in one list of integers."""

    def __init__(self, scale: Scale) -> None:
        self.head = [0] * HEAD_SIZE
        self.head[PRICE_DECIMALS], self.head[PRICE_MULTIPLE] = scale.price.decimals, scale.price.multiple
        self.head[SIZE_DECIMALS], self.head[SIZE_MULTIPLE] = scale.size.decimals, scale.size.multiple
        self._cells = self.head
        self._keys = 0

    def build(self, root: _Node) -> Table:
        self.head[ROOT] = self._node(root, parent=NO_PARENT, closers=0, in_row=False)
        table = np.array(self._cells, np.int64)
        table.flags.writeable = False
        return table

    def _append(self, values: Sequence[int]) -> int:
        offset = len(self._cells)
        self._cells.extend(values)
        return offset

    def _node(self, node: _Node, parent: int, closers: int, in_row: bool) -> int:
        offset = self._append([parent, closers, int(node.is_row), len(node.keys)])
        self._append([0] * (ENTRY_SIZE * len(node.keys)))
        for index, (key, entry) in enumerate(node.keys.items()):
            at = offset + NODE_ENTRIES + index * ENTRY_SIZE
            self._cells[at : at + ENTRY_SIZE] = self._entry(key, entry, offset, in_row or node.is_row)
        return offset

    def _entry(self, key: str, entry: _Entry, node: int, in_row: bool) -> list[int]:
        if self._keys == MAX_KEYS:
            raise ValueError(f"a grammar may name at most {MAX_KEYS} keys")
        bit = 1 << self._keys
        self._keys += 1
        if in_row:
            self._cells[ROW_BITS] |= bit
        value = entry.value
        if isinstance(value, _Node):
            action = ROWS if value.is_row else OBJECT
            argument = self._node(value, node, 0 if value.is_row else entry.openers, in_row)
            required = value.is_row
        else:
            action, required = value.action, value.required
            argument = self._argument(value)
        if required:
            self._cells[ROW_REQUIRED if in_row else REQUIRED] |= bit
        raw = key.encode()
        word = int.from_bytes(raw[:WORD_BYTES], "little")
        return [len(raw), word, self._append(list(raw)), bit, entry.openers, action, argument]

    def _argument(self, leaf: _Leaf) -> int:
        if leaf.slots:
            return self._append(
                [len(leaf.slots), *(n for slot, unit in leaf.slots for n in (slot, unit, INT64_MAX // unit))]
            )
        if leaf.action in (TEXT, KIND_TEXT, SIDE, KEEP):
            cells = [len(leaf.options)]
            for option in leaf.options:
                if isinstance(option, bool):
                    cells.append(OPTION_TRUE if option else OPTION_FALSE)
                else:
                    raw = option.encode()
                    cells += [len(raw), *raw]
            return self._append(cells)
        return leaf.argument
