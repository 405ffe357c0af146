"""A grammar, a grid and a market's name compiled into one flat int64 table, so that a kernel call carries one argument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engines.wire.decimal_text import SHORT_NUMBER
from engines.wire.grammar import BookGrammar, Nth, Path, Row, TradeGrammar
from engines.wire.layout import BID_COUNT, KEPT_LEVELS, KIND, TRADE_ID, TRADE_TIME
from engines.wire.scale import Scale
from engines.wire.table_layout import (
    ARRAY_ROWS,
    BOTH_SIDES,
    COUNT_ROLE,
    DEFAULT_KIND,
    IGNORE,
    INTEGER,
    KEEP,
    KIND_TEXT,
    LEVELS,
    NO_ELEMENT,
    OBJECT_ROWS,
    PRICE,
    PRICE_ROLE,
    ROLE,
    ROW_COUNT,
    ROW_FORM,
    ROW_LAST,
    ROW_NODE,
    ROW_PRICE,
    ROW_ROLES,
    ROW_SIDE,
    ROW_SIDES,
    ROW_SIZE,
    ROW_TOLD,
    ROW_WINDOW,
    SIDE,
    SIDE_ROLE,
    SIGNED,
    SINGLE,
    SIZE,
    SIZE_ROLE,
    TEXT,
    TIME_TEXT,
    USUAL_ROWS,
)
from engines.wire.table_tree import Builder, Leaf, Node, Table, add

# What a tight loop may look at beside the keys: brackets and quotes, and a number or a short text for each value.
_AROUND_ROW = 4
_AROUND_VALUE = SHORT_NUMBER + 8


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
    """The table for one market. Alternates of the grammar are no part of it: each is compiled by itself.

    Raises:
        ValueError: two facts at one path, a fact below another fact, a key that is not plain ASCII, too many keys, or rows that
            say less, or more, than a level needs.
    """
    root = Node()
    _add_rows(root, grammar)
    for integer in grammar.integers:
        if not (0 <= integer.slot < BID_COUNT and integer.slot != KIND) and integer.slot != KEPT_LEVELS:
            raise ValueError(f"slot {integer.slot} of the header is not one that a field may fill")
        add(root, integer.path, Leaf.integer(integer))
    _add_texts(root, grammar.expects, grammar.market, market)
    if grammar.kind is not None:
        path, snapshot, delta = grammar.kind
        add(root, path, Leaf(KIND_TEXT, grammar.kind_required, options=(delta, snapshot)))
    builder = Builder(scale)
    builder.head[DEFAULT_KIND] = grammar.default_kind
    builder.head[SINGLE] = int(grammar.single)
    _lay_out_row(builder, grammar.row)
    return CompiledBookGrammar(grammar, scale, market, builder.build(root))


def _roles(row: Row) -> list[tuple[int | str, int]]:
    """(element number or key, role) of what a row tells."""
    roles = [(row.price, PRICE_ROLE), (row.size, SIZE_ROLE), (row.side, SIDE_ROLE), (row.count, COUNT_ROLE)]
    return [(place, role) for place, role in roles if place is not None]


def _add_rows(root: Node, grammar: BookGrammar) -> None:
    row, paths = grammar.row, (grammar.bids, grammar.asks)
    places = [place for place, _ in _roles(row)]
    if len({type(place) for place in places}) != 1 or len(set(places)) != len(places):
        raise ValueError(f"a row names different elements, or different keys, on its path: got {row!r}")
    if any(isinstance(place, int) and place < 0 for place in places):
        raise ValueError(f"the path of a value in a row counts elements from 0, got {row!r}")
    if row.side is not None and (row.bid == row.ask or not row.bid or not row.ask):
        raise ValueError(f"a row that names its side on its path needs two texts, got {row!r}")
    if paths == (None, None):
        return
    if row.tells_side and paths[0] != paths[1]:
        raise ValueError(f"rows that tell their side stand at one path, got {paths!r}")
    if grammar.single:
        if not row.tells_side or paths[0] is None:
            raise ValueError(f"a single row must tell its side, got the path {paths[0]!r}")
        for place, role in _roles(row):
            step = Nth(place) if isinstance(place, int) else place
            add(root, (*paths[0], step), Leaf(ROLE, argument=role))
    elif row.tells_side:
        add(root, paths[0] or (), Leaf(LEVELS, grammar.sides_required, argument=BOTH_SIDES))
    else:
        for side, path in enumerate(paths):
            if path is not None:
                add(root, path, Leaf(LEVELS, grammar.sides_required, argument=side))


def _lay_out_row(builder: Builder, row: Row) -> None:
    head, roles = builder.head, _roles(row)
    head[SIGNED] = int(row.signed)
    head[ROW_TOLD] = int(row.tells_side or row.count is not None)
    if row.side is not None:
        head[ROW_SIDES] = builder.options((row.bid, row.ask))
    usual = (row.price, row.size, row.quoted) == (0, 1, True) and not head[ROW_TOLD]
    head[ROW_FORM] = USUAL_ROWS if usual else ARRAY_ROWS
    for slot, place in ((ROW_PRICE, row.price), (ROW_SIZE, row.size), (ROW_SIDE, row.side), (ROW_COUNT, row.count)):
        head[slot] = place if isinstance(place, int) else NO_ELEMENT
    elements = [place for place, _ in roles if isinstance(place, int)]
    head[ROW_LAST] = max(elements, default=NO_ELEMENT)
    keys = [(place, role) for place, role in roles if isinstance(place, str)]
    texts = max(len(row.bid), len(row.ask))
    if keys:
        head[ROW_FORM] = OBJECT_ROWS
        head[ROW_NODE] = builder.row_node(keys)
        head[ROW_ROLES] = sum(1 << role for _, role in keys)
        head[ROW_WINDOW] = _AROUND_ROW + texts + sum(len(key) + _AROUND_VALUE for key, _ in keys)
    else:
        head[ROW_WINDOW] = _AROUND_ROW + texts + (head[ROW_LAST] + 1) * _AROUND_VALUE


def compile_trade_grammar(grammar: TradeGrammar, scale: Scale, market: str) -> CompiledTradeGrammar:
    """The table for one market.

    Raises:
        ValueError: as `compile_book_grammar`; also for a path from the root into the rows of a list, and for a side that both a path
            and the sign of the size tell, or neither.
    """
    if (grammar.side is None) != grammar.signed:
        raise ValueError("the taker's side stands at a path or is the sign of the size")
    root = Node()
    for path, values in grammar.ignore.items():
        texts = tuple(value for value in values if isinstance(value, str))
        add(root, path, Leaf(IGNORE, False, ignored=texts, ignored_array=list in values))
    time_unit = TIME_TEXT if grammar.rfc3339 else grammar.time_unit
    fields: list[tuple[Path, Leaf]] = [
        (grammar.price, Leaf(PRICE)),
        (grammar.size, Leaf(SIZE)),
        (grammar.time, Leaf(INTEGER, slots=[(TRADE_TIME, time_unit)])),
        *((path, Leaf(TEXT, options=(market,))) for path in grammar.row_market),
        *((path, Leaf(KEEP, False, options=values)) for path, values in grammar.keep.items()),
    ]
    if grammar.side is not None:
        fields.append((grammar.side, Leaf(SIDE, options=grammar.sides)))
    if grammar.identifier is not None:
        fields.append((grammar.identifier, Leaf(INTEGER, slots=[(TRADE_ID, 1)])))
    if grammar.single:
        for path, leaf in fields:
            add(root, grammar.rows + path, leaf)
    else:
        if grammar.rows[-1:] == (0,):
            raise ValueError(f"the path of a list of trades ends at its key, got {grammar.rows!r}")
        row = Node(is_row=True)
        for path, leaf in fields:
            add(row, path, leaf)
        add(root, (*grammar.rows, 0), row)
    _add_texts(root, grammar.expects, grammar.market, market)
    builder = Builder(scale)
    builder.head[SIGNED] = int(grammar.signed)
    builder.head[SINGLE] = int(grammar.single)
    return CompiledTradeGrammar(grammar, scale, market, builder.build(root))


def _add_texts(root: Node, expects: Mapping[Path, str], markets: Iterable[Path], market: str) -> None:
    for path, text in expects.items():
        add(root, path, Leaf(TEXT, options=(text,)))
    for path in markets:
        add(root, path, Leaf(TEXT, options=(market,)))
