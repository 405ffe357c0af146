"""What a venue's book stream publishes from a simulated book: changes at any price, or a window of the best N levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.simulator.order_book import Ints, SimulatedBook

PHANTOM_LOTS = 1_000
FREE_REACH = 200  # ticks looked at for an empty one; the densest simulated book leaves one in four empty

Row = tuple[int, int]  # (tick, lots); lots 0 deletes


@dataclass(frozen=True, slots=True)
class Changes:
    """Levels that differ from what was last published. Bids and asks in rising order of price."""

    bids: list[Row]
    asks: list[Row]

    def __bool__(self) -> bool:
        return bool(self.bids or self.asks)


def _split(ticks: Ints, before: Ints, now: Ints) -> Changes:
    """Signed quantities before and now, at the changed ticks, as rows of each side."""
    bid = (before > 0) | (now > 0)
    ask = (before < 0) | (now < 0)
    return Changes(
        list(zip(ticks[bid].tolist(), np.maximum(now[bid], 0).tolist(), strict=True)),
        list(zip(ticks[ask].tolist(), np.maximum(-now[ask], 0).tolist(), strict=True)),
    )


def _free_above(book: SimulatedBook, index: int) -> int | None:
    """The first empty index above one, within reach."""
    free = np.flatnonzero(book.lots[index + 1 : index + 1 + FREE_REACH] == 0)
    return index + 1 + int(free[0]) if len(free) else None


def _haunt(bids: list[Row], tick: int) -> None:
    """Put the phantom bid in its place; the tick may have its own row (a bid deleted in this very flush)."""
    bids[:] = sorted([row for row in bids if row[0] != tick] + [(tick, PHANTOM_LOTS)])


class DiffStream:
    """Changes at any price since the last flush, with the quantity each level has now (Binance)."""

    def __init__(self, book: SimulatedBook) -> None:
        self._book = book
        self._touched: list[Ints] = []
        self._cross_next = False

    def collect(self, touched: Ints) -> None:
        """`touched` as SimulatedBook.take_touched gives it."""
        if len(touched):
            self._touched.append(touched)

    def flush(self) -> Changes:
        if not self._touched:
            return Changes([], [])
        book = self._book
        touched = np.unique(np.concatenate(self._touched))
        self._touched.clear()
        bids, asks = touched[touched % 2 == 0] // 2, touched[touched % 2 == 1] // 2
        changes = Changes(
            list(zip((bids + book.low).tolist(), np.maximum(book.lots[bids], 0).tolist(), strict=True)),
            list(zip((asks + book.low).tolist(), np.maximum(-book.lots[asks], 0).tolist(), strict=True)),
        )
        if self._cross_next:
            self._cross_next = False
            index = _free_above(book, book.best_ask)
            if index is not None:
                _haunt(changes.bids, index + book.low)
                self._touched.append(np.array([2 * index], dtype=np.int64))  # the next flush takes it back
        return changes

    def cross(self) -> None:
        """Fault: the next flush carries a bid above the best ask."""
        self._cross_next = True


class WindowStream:
    """The best `depth` levels a side; a level that leaves the window is published with size 0 (Bybit, OKX)."""

    def __init__(self, book: SimulatedBook, depth: int) -> None:
        self._book, self.depth = book, depth
        self._low = 0
        self._window: Ints = np.zeros(0, dtype=np.int64)  # signed lots from index _low
        self._cross_next = False
        self.flush()

    def flush(self) -> Changes:
        book = self._book
        bids, asks = book.top(1, self.depth), book.top(-1, self.depth)
        edges = [int(side[-1]) for side in (bids, asks) if len(side)] + [
            int(side[0]) for side in (bids, asks) if len(side)
        ]
        low, high = (min(edges), max(edges)) if edges else (self._low, self._low - 1)
        old_low, old_high = self._low, self._low + len(self._window) - 1
        start, stop = (min(low, old_low), max(high, old_high) + 1) if len(self._window) else (low, high + 1)
        before: Ints = np.zeros(max(0, stop - start), dtype=np.int64)
        before[old_low - start : old_high + 1 - start] = self._window
        now: Ints = np.zeros_like(before)
        now[low - start : high + 1 - start] = book.lots[low : high + 1]
        self._low, self._window = low, now[low - start : high + 1 - start].copy()
        changed = np.flatnonzero(before != now)
        changes = _split(changed + start + book.low, before[changed], now[changed])
        if self._cross_next:
            self._cross_next = False
            index = _free_above(book, book.best_ask)
            if index is not None and low <= index <= high:
                _haunt(changes.bids, index + book.low)
                self._window[index - low] = PHANTOM_LOTS  # differs from the book: the next flush takes it back
        return changes

    def cross(self) -> None:
        """Fault: the next flush carries a bid above the best ask."""
        self._cross_next = True

    def levels(self) -> Changes:
        """The window as last published: bids and asks in rising order of price."""
        standing = np.flatnonzero(self._window)
        return _split(standing + self._low + self._book.low, np.zeros_like(standing), self._window[standing])
