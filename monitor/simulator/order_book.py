"""One simulated limit order book: signed lots per tick in a flat array, and orders that really take from it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

FIRST_CHUNK = 64  # ticks looked at first when searching the next level; most books have one within reach
CHUNK_GROWTH = 8


class SimulatedBook:
    """Bids are positive lots, asks negative; index i stands for tick `low + i`.

    `best_bid` is -1 and `best_ask` is `size` while that side is empty. The book is never crossed: every bid stands
    below every ask. What changes is noted until `take_touched`.
    """

    __slots__ = ("_touched", "best_ask", "best_bid", "lots", "low", "size")

    def __init__(self, low_tick: int, high_tick: int) -> None:
        self.low = low_tick
        self.size = high_tick - low_tick + 1
        self.lots: Ints = np.zeros(self.size, dtype=np.int64)
        self.best_bid = -1
        self.best_ask = self.size
        self._touched: list[Ints] = []

    def quote(self, sign: int, indices: Ints, lots: Ints) -> None:
        """Replace the quantity at `indices` (unique) of one side; sign +1 bids, -1 asks. Zero removes the level.

        Indices that would cross the other side, or lie outside the book, are left out.
        """
        if sign > 0:
            keep = (indices >= 0) & (indices < self.best_ask)
        else:
            keep = (indices > self.best_bid) & (indices < self.size)
        keep &= self.lots[np.minimum(np.maximum(indices, 0), self.size - 1)] != sign * lots
        indices, lots = indices[keep], lots[keep]
        if not len(indices):
            return
        self.lots[indices] = sign * lots
        self._touched.append(2 * indices + (sign < 0))
        standing = indices[lots > 0]
        if sign > 0:
            if len(standing):
                self.best_bid = max(self.best_bid, int(standing.max()))
            if self.best_bid >= 0 and self.lots[self.best_bid] <= 0:
                self.best_bid = self._bid_at_or_below(self.best_bid)
        else:
            if len(standing):
                self.best_ask = min(self.best_ask, int(standing.min()))
            if self.best_ask < self.size and self.lots[self.best_ask] >= 0:
                self.best_ask = self._ask_at_or_above(self.best_ask)

    def take(self, sign: int, lots: int, limit: int) -> list[tuple[int, int]]:
        """An immediate-or-cancel order: +1 buys asks up to index `limit`, -1 sells to bids down to it.

        Returns the fills (index, lots), best price first; what the limit leaves unfilled is cancelled.
        """
        fills: list[tuple[int, int]] = []
        book = self.lots
        index = self.best_ask if sign > 0 else self.best_bid
        while lots > 0 and 0 <= index < self.size and (index <= limit if sign > 0 else index >= limit):
            here = abs(int(book[index]))
            filled = min(here, lots)
            book[index] += sign * filled
            fills.append((index, filled))
            lots -= filled
            if filled == here:
                index = self._ask_at_or_above(index + 1) if sign > 0 else self._bid_at_or_below(index - 1)
        if sign > 0:
            self.best_ask = index
        else:
            self.best_bid = index
        if fills:
            self._touched.append(np.array([2 * index + (sign > 0) for index, _ in fills], dtype=np.int64))
        return fills

    def take_touched(self) -> Ints:
        """The levels changed since the last call, sorted, each once: 2 * index for a bid, 2 * index + 1 for an ask.

        A level that came and went is among them: a venue reports it, because a snapshot in between would have shown it.
        """
        if not self._touched:
            return np.zeros(0, dtype=np.int64)
        touched = np.unique(np.concatenate(self._touched))
        self._touched.clear()
        return touched

    def top(self, sign: int, count: int) -> Ints:
        """Indices of the best `count` levels of one side, best first."""
        reach = max(count * 2, FIRST_CHUNK)
        while True:
            if sign > 0:
                start = max(0, self.best_bid + 1 - reach)
                found = np.flatnonzero(self.lots[start : self.best_bid + 1] > 0)[::-1] + start
                whole = start == 0
            else:
                found = np.flatnonzero(self.lots[self.best_ask : self.best_ask + reach] < 0) + self.best_ask
                whole = self.best_ask + reach >= self.size
            if len(found) >= count or whole:
                return found[:count]
            reach *= CHUNK_GROWTH

    def within(self, sign: int, edge: int) -> tuple[Ints, Ints]:
        """(indices, lots) of one side from the best level to index `edge`, inclusive."""
        if sign > 0:
            start, stop = max(0, edge), self.best_bid + 1
        else:
            start, stop = self.best_ask, min(self.size, edge + 1)
        part = np.abs(self.lots[start:stop]) if stop > start else np.zeros(0, dtype=np.int64)
        indices = np.flatnonzero(part)
        return indices + start, part[indices]

    def _ask_at_or_above(self, index: int) -> int:
        chunk = FIRST_CHUNK
        while index < self.size:
            found = np.flatnonzero(self.lots[index : index + chunk] < 0)
            if len(found):
                return index + int(found[0])
            index, chunk = index + chunk, chunk * CHUNK_GROWTH
        return self.size

    def _bid_at_or_below(self, index: int) -> int:
        chunk = FIRST_CHUNK
        while index >= 0:
            start = max(0, index + 1 - chunk)
            found = np.flatnonzero(self.lots[start : index + 1] > 0)
            if len(found):
                return start + int(found[-1])
            index, chunk = start - 1, chunk * CHUNK_GROWTH
        return -1
