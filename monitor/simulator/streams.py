"""What a venue's book stream publishes from a simulated book: changes at any price, the best N levels, whole snapshots, buckets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from engines.wire.scale import Grid
from monitor.simulator.order_book import Ints, SimulatedBook

PHANTOM_LOTS = 1_000
FREE_REACH = 200  # ticks looked at for an empty one; the densest simulated book leaves one in four empty

Row = tuple[int, int]  # (tick, lots); lots 0 deletes


@dataclass(frozen=True, slots=True)
class Changes:
    """Levels that differ from what was last published, or levels as they stand. Bids and asks in rising order of price."""

    bids: list[Row]
    asks: list[Row]

    def __bool__(self) -> bool:
        return bool(self.bids or self.asks)

    @property
    def best_first(self) -> tuple[list[Row], list[Row]]:
        """(bids, asks), each from the touch outwards."""
        return self.bids[::-1], self.asks


def singles(changes: Changes) -> Iterator[tuple[int, int, int]]:
    """(sign, tick, lots) of each level by itself, for venues that send one a frame. +1: a bid. What leaves goes before what comes, so
    that the book does not stand crossed in between."""
    rows = [(sign, tick, lots) for sign, side in ((1, changes.bids), (-1, changes.asks)) for tick, lots in side]
    return iter(sorted(rows, key=lambda row: row[2] != 0))


def standing(book: SimulatedBook, count: int | None = None) -> Changes:
    """The best `count` levels a side (None: all) as they are now."""
    sides = [book.top(sign, book.size if count is None else count) for sign in (1, -1)]
    rows = [list(zip((side + book.low).tolist(), np.abs(book.lots[side]).tolist(), strict=True)) for side in sides]
    return Changes(rows[0][::-1], rows[1])


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
    """Changes at any price since the last flush, with the quantity each level has now."""

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
    """The best `depth` levels a side.

    tells_leaving: a level that leaves the window is published with size 0; otherwise the client has to cut its book itself, and
    a level that is still in the book is published again when it comes back (Kraken).
    """

    def __init__(self, book: SimulatedBook, depth: int, *, tells_leaving: bool = True) -> None:
        self._book, self.depth, self._tells_leaving = book, depth, tells_leaving
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
        if not self._tells_leaving:
            pushed_out = (now[changed] == 0) & (before[changed] * book.lots[changed + start] > 0)
            changed = changed[~pushed_out]
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
        found = np.flatnonzero(self._window)
        return _split(found + self._low + self._book.low, np.zeros_like(found), self._window[found])


class SnapshotStream:
    """The best `depth` levels a side, whole each time."""

    def __init__(self, book: SimulatedBook, depth: int) -> None:
        self._book, self.depth = book, depth
        self._cross_next = False

    def flush(self) -> Changes:
        rows = self.levels()
        if self._cross_next:
            self._cross_next = False
            index = _free_above(self._book, self._book.best_ask)
            if index is not None:
                _haunt(rows.bids, index + self._book.low)
        return rows

    def cross(self) -> None:
        """Fault: the next flush carries a bid above the best ask."""
        self._cross_next = True

    def levels(self) -> Changes:
        """The book now."""
        return standing(self._book, self.depth)


class BucketStream:
    """The best `depth` buckets a side: prices of so many significant figures, bids rounded down and asks up, quantities summed.

    Ticks of its rows are those of the book (a bucket's price is a whole number of ticks wherever it is coarser than one).
    """

    def __init__(self, book: SimulatedBook, grid: Grid, figures: int, depth: int) -> None:
        self._book, self._grid, self.figures, self.depth = book, grid, figures, depth
        self._published: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def levels(self) -> Changes:
        """The buckets now."""
        bids, asks = self._side(1), self._side(-1)
        return Changes(bids[::-1], asks)

    def flush(self) -> Changes:
        """What changed since the last flush; a bucket that left has lots 0."""
        changes = []
        for number, sign in enumerate((1, -1)):
            before, now = self._published[number], dict(self._side(sign))
            rows = [(tick, 0) for tick in before if tick not in now]
            rows += [(tick, lots) for tick, lots in now.items() if before.get(tick) != lots]
            self._published[number].clear()
            self._published[number].update(now)
            changes.append(sorted(rows))
        return Changes(*changes)

    def published(self) -> Changes:
        """The buckets as last flushed."""
        bids, asks = self._published
        return Changes(sorted(bids.items()), sorted(asks.items()))

    def _side(self, sign: int) -> list[Row]:
        """From the touch outwards."""
        book, multiple = self._book, self._grid.multiple
        indices, lots = book.within(sign, 0 if sign > 0 else book.size - 1)
        if not len(indices):
            return []
        units = (indices + book.low) * multiple
        width = bucket_units(units, self.figures)
        rounded = units // width * width if sign > 0 else -(-units // width) * width
        starts = np.flatnonzero(np.diff(rounded, prepend=-1))
        ticks, sums = rounded[starts] // multiple, np.add.reduceat(lots, starts)
        rows = list(zip(ticks.tolist(), sums.tolist(), strict=True))
        return rows[: -self.depth - 1 : -1] if sign > 0 else rows[: self.depth]


def bucket_units(units: Ints, figures: int) -> Ints:
    """How wide a bucket of so many significant figures is at each price (both in units of the grid's last decimal); at least 1."""
    digits = np.searchsorted(10 ** np.arange(19, dtype=np.int64), units, side="right")
    return np.asarray(10 ** np.maximum(digits - figures, 0), dtype=np.int64)
