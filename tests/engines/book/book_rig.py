"""A small book of made-up levels, and short ways to feed and ask it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from book_captures import BINANCE_FRAME, BINANCE_SNAPSHOT, RANGE, levels_of, scale

from engines.book.bands import BandFigure, BandSet
from engines.book.live_book import LiveBook
from engines.book.outcome import Outcome
from engines.wire.grammar import SequenceRule

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
GRID = scale("0.1", "0.001")
Rows = Sequence[tuple[int, int]]


def make(rule: SequenceRule = RANGE, **changed: Any) -> LiveBook:
    settings: dict[str, Any] = {
        "scale": GRID,
        "market": "BTCUSDT",
        "grammar": BINANCE_FRAME,
        "rule": rule,
        "changes_at_any_price": rule is RANGE,
        "snapshot_grammar": BINANCE_SNAPSHOT,
        "floor_settle_ns": 0,
    }
    return LiveBook(**(settings | changed))


def send(
    book: LiveBook, first: int, last: int, previous: int, bids: Rows = (), asks: Rows = (), at: int = 0
) -> Outcome:
    return book.levels(*levels_of(list(bids), list(asks), first=first, last=last, previous=previous), at)


def rest(book: LiveBook, last: int, bids: Rows, asks: Rows, at: int = 0) -> Outcome:
    return book.snapshot(*levels_of(list(bids), list(asks), last=last, kind=1), at)


def stream_snapshot(book: LiveBook, last: int, bids: Rows, asks: Rows, at: int = 0) -> Outcome:
    return book.levels(*levels_of(list(bids), list(asks), last=last, previous=-1, kind=1), at)


BIDS = [(999, 5), (990, 7), (980, 9)]
ASKS = [(1001, 5), (1010, 7), (1020, 9)]


def seeded(at: int = 0, **changed: Any) -> LiveBook:
    book = make(**changed)
    assert rest(book, 100, BIDS, ASKS, at) is Outcome.HELD
    assert not book.readable
    assert book.reason == "waiting_for_stream"
    assert send(book, 99, 101, 98, at=at) is Outcome.APPLIED
    assert book.readable
    return book


def bids_of(book: LiveBook) -> dict[int, int]:
    return dict(book.levels_of("bid").tolist())


def figures(book: LiveBook, *names: str, at: int = 0) -> list[tuple[BandFigure, BandFigure]]:
    report = book.bands(BandSet(names), at)
    assert report is not None
    return list(zip(report.bid, report.ask, strict=True))
