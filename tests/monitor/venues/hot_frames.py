"""Hot frames read as the service reads them, by the scanner and by the plain path at once, and given back as decimals."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

import numpy as np

from engines.wire import layout
from engines.wire.book_scan import scan_book
from engines.wire.grammar import BookGrammar, TradeGrammar
from engines.wire.plain import plain_book, plain_trades
from engines.wire.scale import Grid, Scale
from engines.wire.tables import CompiledBookGrammar, CompiledTradeGrammar, compile_book_grammar, compile_trade_grammar
from engines.wire.trade_scan import scan_trades

# Fine enough for every captured price and size: the grammars are under test here, not the markets' grids.
FINE = Scale(price=Grid.from_step("0.00000001"), size=Grid.from_step("0.00000001"))
ONE = Decimal("0.00000001")
_plain = np.zeros((2, layout.MAX_LEVELS, 2), np.int64)
_scanned = np.zeros((2, layout.MAX_LEVELS, 2), np.int64)
_trades = np.zeros((layout.MAX_TRADES, layout.TRADE_SIZE), np.int64)
_scanned_trades = np.zeros((layout.MAX_TRADES, layout.TRADE_SIZE), np.int64)
_compiled_books: dict[tuple[int, str], CompiledBookGrammar] = {}
_compiled_trades: dict[tuple[int, str], CompiledTradeGrammar] = {}


@dataclass
class Book:
    kind: int
    header: dict[int, int]  # slot -> value, of what stood in the frame
    bids: list[tuple[Decimal, Decimal]]
    asks: list[tuple[Decimal, Decimal]]


@dataclass
class Trade:
    price: Decimal
    size: Decimal
    side: int
    time: int
    identifier: int
    kept: bool = True


@cache
def _slots() -> tuple[int, ...]:
    return (
        layout.FIRST_ID, layout.LAST_ID, layout.PREVIOUS_ID, layout.CROSS_ID, layout.EVENT_TIME, layout.ENGINE_TIME,
        layout.CHECKSUM,
    )  # fmt: skip


def read_book(grammar: BookGrammar, frame: bytes, market: str) -> Book:
    """Raises WireError where the plain path does; the scanner must then refuse too, and otherwise agree."""
    key = (id(grammar), market)
    if key not in _compiled_books:
        _compiled_books[key] = compile_book_grammar(grammar, FINE, market)
    fast = np.zeros(layout.HEADER_SIZE, np.int64)
    code = scan_book(np.frombuffer(frame, np.uint8), _compiled_books[key].table, fast, _scanned)
    header = np.zeros(layout.HEADER_SIZE, np.int64)
    try:
        plain_book(grammar, FINE, market, frame, header, _plain)
    except ValueError:
        assert code != layout.OK, "the scanner took what the plain path refuses"
        raise
    assert code == layout.OK, f"scanner refused a real frame: {layout.REFUSAL_NAMES[code]}"
    assert fast.tolist() == header.tolist()
    sides = []
    for side, count in ((layout.BID, header[layout.BID_COUNT]), (layout.ASK, header[layout.ASK_COUNT])):
        rows = _plain[side, :count]
        assert np.array_equal(rows, _scanned[side, :count])
        sides.append([(int(tick) * ONE, int(lots) * ONE) for tick, lots in rows])
    present = {slot: int(header[slot]) for slot in _slots() if header[layout.PRESENT] >> slot & 1}
    return Book(int(header[layout.KIND]), present, *sides)


def read_trades(grammar: TradeGrammar, frame: bytes, market: str) -> list[Trade]:
    key = (id(grammar), market)
    if key not in _compiled_trades:
        _compiled_trades[key] = compile_trade_grammar(grammar, FINE, market)
    fast = scan_trades(np.frombuffer(frame, np.uint8), _compiled_trades[key].table, _scanned_trades)
    try:
        count = plain_trades(grammar, FINE, market, frame, _trades)
    except ValueError:
        assert fast < 0, "the scanner took what the plain path refuses"
        raise
    assert fast == count
    assert np.array_equal(_trades[:count], _scanned_trades[:count])
    return [
        Trade(
            price=int(row[layout.TRADE_TICK]) * ONE,
            size=int(row[layout.TRADE_LOTS]) * ONE,
            side=int(row[layout.TRADE_SIDE]),
            time=int(row[layout.TRADE_TIME]),
            identifier=int(row[layout.TRADE_ID]),
            kept=bool(row[layout.TRADE_KEPT]),
        )
        for row in _trades[:count]
    ]
