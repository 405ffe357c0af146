"""Who removed the bids: executed by sellers or cancelled by makers (models.md 1.5), in looks 200 ms apart.

Between two looks a bid that shrank was executed up to the volume sellers printed at its price, and cancelled for the rest. A
shrinking is settled one look later, because the print may travel on another socket. Only prices known at both looks count: bids
within the band and the verified reach both times, so that neither a moving band nor a window's edge looks like a cancellation.
What comes and goes within one look is not seen: flicker is not depth.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from engines.book.bits import lowest_bit, spot
from engines.book.ladder import ALL, LEAF_MASK, ONE, find_above, leaf_at, verified_edge
from engines.book.memory import BEST, CHILD, LEAF_TICKS, Block
from engines.book.sums import band_edge
from engines.kernel import F64_1, I64, I64_1, I64_2, kernel
from engines.wire.layout import ASK, BID, TRADE_KEPT, TRADE_LOTS, TRADE_SIDE, TRADE_TICK

LOOK_NS: Final = 200_000_000
MAX_LEVELS: Final = 4_096  # bids of one look; 1% of bitcoin at a tick of 0.1 holds about 1,500
MAX_PRICES: Final = 1_024  # prices sold at between two looks; beyond it sales go unmatched and are counted
BAND: Final = (1, 100)  # 1%

# Slots of the sums, in lots * ticks.
ADDED, CANCELLED, EXECUTED = range(3)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@kernel(I64(I64_1, I64, I64, I64_2))
def bids_from(block: Ints, low: int, most: int, rows: Ints) -> int:
    """Writes bids at or above `low` into `rows` (tick, lots), lowest first; returns how many, -1 when they are more than `most`."""
    count = 0
    tick = find_above(block, BID, low)
    while tick >= 0:
        # A leaf at a time: bids near the touch stand side by side.
        leaf = leaf_at(block, BID, tick)
        first = tick & ~LEAF_MASK
        bits = block[spot(leaf)] & (ALL << (tick & LEAF_MASK))
        while bits != 0:
            if count >= most:
                return -1
            place = lowest_bit(bits)
            bits &= bits - ONE
            rows[spot(count), 0] = first | place
            rows[spot(count), 1] = block[spot(leaf + CHILD + place)]
            count += 1
        tick = find_above(block, BID, first + LEAF_TICKS)
    return count


@kernel(I64(I64_2, I64, I64_2, I64, I64, I64_2, F64_1))
def shrunk(before: Ints, n_before: int, now: Ints, n_now: int, low: int, pending: Ints, sums: Floats) -> int:
    """Bids at or above `low` that shrank go into `pending` (tick, lots), growth into sums[ADDED]. Returns how many shrank."""
    i = 0
    j = 0
    count = 0
    while i < n_before or j < n_now:
        if j >= n_now or (i < n_before and before[i, 0] < now[j, 0]):
            tick, change = before[i, 0], -before[i, 1]
            i += 1
        elif i >= n_before or now[j, 0] < before[i, 0]:
            tick, change = now[j, 0], now[j, 1]
            j += 1
        else:
            tick, change = before[i, 0], now[j, 1] - before[i, 1]
            i += 1
            j += 1
        if tick < low or change == 0:
            continue
        if change > 0:
            sums[ADDED] += float(change) * tick
        else:
            pending[count, 0] = tick
            pending[count, 1] = -change
            count += 1
    return count


@kernel(I64(I64_2, I64, I64_2, I64, F64_1))
def settle_shrunk(pending: Ints, count: int, sold: Ints, n_sold: int, sums: Floats) -> int:
    """Takes from each shrinking what was sold at its price (which is used up) as executed; what is left stays in `pending`."""
    for i in range(count):
        for k in range(n_sold):
            if sold[k, 0] == pending[i, 0]:
                taken = min(pending[i, 1], sold[k, 1])
                sold[k, 1] -= taken
                pending[i, 1] -= taken
                sums[EXECUTED] += float(taken) * pending[i, 0]
    return count


@kernel(I64(I64_2, I64, F64_1))
def cancel_rest(pending: Ints, count: int, sums: Floats) -> int:
    """What no print explains was cancelled."""
    for i in range(count):
        sums[CANCELLED] += float(pending[i, 1]) * pending[i, 0]
    return count


@kernel(I64(I64_2, I64, I64_2, I64))
def add_sold(trades: Ints, count: int, sold: Ints, n_sold: int) -> int:
    """Adds what takers sold, by price, to `sold` (tick, lots); returns how many prices it holds."""
    for i in range(count):
        if trades[i, TRADE_SIDE] > 0 or trades[i, TRADE_KEPT] == 0:
            continue
        tick = trades[i, TRADE_TICK]
        k = n_sold - 1
        while k >= 0 and sold[k, 0] != tick:
            k -= 1
        if k < 0:
            if n_sold >= sold.shape[0]:
                continue
            k = n_sold
            sold[k, 0] = tick
            sold[k, 1] = 0
            n_sold += 1
        sold[k, 1] += trades[i, TRADE_LOTS]
    return n_sold


class WithdrawalMeter:
    """One book's bids over time. `sold` on each trade frame, `look` every LOOK_NS, `take` to read and reset the sums."""

    def __init__(self) -> None:
        self._rows = [np.zeros((MAX_LEVELS, 2), np.int64), np.zeros((MAX_LEVELS, 2), np.int64)]
        self._count = -1  # of the last look; -1: there is none to compare with
        self._low = 0
        self._pending: Ints = np.zeros((2 * MAX_LEVELS, 2), np.int64)
        self._n_pending = 0
        self._sold = [np.zeros((MAX_PRICES, 2), np.int64), np.zeros((MAX_PRICES, 2), np.int64)]
        self._n_sold = [0, 0]
        self._sums = np.zeros(3)
        self.next_look = 0
        self.too_many = 0  # looks given up because the band held more levels than MAX_LEVELS

    def sold(self, trades: Ints, count: int) -> None:
        """Trades of a frame, int64[n, TRADE_SIZE]."""
        self._n_sold[1] = add_sold(trades, count, self._sold[1], self._n_sold[1])

    def look(self, block: Block, at: int) -> None:
        """Compare the bids with the last look. The book must be readable."""
        self.next_look = at + LOOK_NS
        # Prints of the last two looks can explain a shrinking seen at the last one.
        if self._n_pending:
            for sold, count in zip(self._sold, self._n_sold, strict=True):
                if count:
                    settle_shrunk(self._pending, self._n_pending, sold, count, self._sums)
            cancel_rest(self._pending, self._n_pending, self._sums)
        self._sold.reverse()
        self._n_sold = [self._n_sold[1], 0]
        twice = int(block[BEST + BID] + block[BEST + ASK])
        low = max(int(band_edge(BID, twice, *BAND)), int(verified_edge(block, BID)))
        count = int(bids_from(block, low, MAX_LEVELS, self._rows[1]))
        self._n_pending = 0
        if count < 0:
            self.too_many += 1
        elif self._count >= 0:
            self._n_pending = int(
                shrunk(self._rows[0], self._count, self._rows[1], count, max(low, self._low), self._pending, self._sums)
            )
        self._rows.reverse()
        self._count, self._low = count, low

    def lose(self) -> None:
        """The book cannot be read: the next look starts anew."""
        self._count = -1
        self._n_pending = 0
        self.next_look = 0

    def take(self) -> tuple[float, float, float]:
        """(added, cancelled, executed) since the last take, in lots * ticks."""
        added, cancelled, executed = (float(value) for value in self._sums)
        self._sums[:] = 0.0
        return added, cancelled, executed
