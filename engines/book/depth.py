"""Depth of all bands in coins and US dollars, in one kernel call; Python values are made only for those who look.

`BookReader.bands` gives the same figures as exact integers; this is the way the service reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from engines.book.bands import BASES, BandSet, Basis, Side
from engines.book.ladder import verified_edge
from engines.book.memory import BEST
from engines.book.sequence import LIVE as IN_SYNC
from engines.book.sequence import STATUS
from engines.book.sums import (
    BASIS,
    EDGE,
    LOTS_SUM,
    NONE,
    OFFSET_SUM,
    SNAPSHOT,
    SUM_LIMIT,
    lots_over_tick,
    measure_around,
    walked_sums,
)
from engines.kernel import F64, F64_2, I64, I64_1, I64_3, READ_I64_1, borrowing_kernel
from engines.wire.layout import ASK, BID

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Columns of a row as `depth_figures` writes it; row = side * bands + band.
BASE: Final = 0  # coins
USD: Final = 1
KIND: Final = 2  # the basis, a code of `engines.book.sums`
FIGURES: Final = 3

# What `depth_figures` returns.
DONE: Final = 0
UNREADABLE: Final = 1


@borrowing_kernel(I64(I64_1))
def readable(block: Ints) -> int:
    """1 = in sync, both sides there, and the best prices inside the verified reach."""
    bid, ask = block[BEST], block[BEST + 1]
    if block[STATUS] != IN_SYNC or bid < 0 or ask < 0:
        return 0
    return 1 if bid >= verified_edge(block, BID) and ask <= verified_edge(block, ASK) else 0


@borrowing_kernel(I64(I64_1, I64_1, READ_I64_1, I64_3, F64_2, I64, I64, F64, F64, F64, F64, I64, F64))
def depth_figures(
    block: Ints,
    deep: Ints,
    bands: Ints,
    sums: Ints,
    out: Floats,
    flags: int,
    around: int,
    lot_unit: float,
    lot_tick_unit: float,
    tick_unit: float,
    multiplier: float,
    inverse: int,
    fx: float,
) -> int:
    """What may be published of both sides' bands, in coins and US dollars.

    Args:
        block, deep, bands, flags, around: as for `measure_around`.
        sums: int64[2, n, COLUMNS], written: the integers behind the figures.
        out: float64[2 n, FIGURES], written; NaN where nothing may be said.
        lot_unit ... inverse: `Worth`. fx: USD per unit of the quote currency.

    Returns:
        DONE, or UNREADABLE: nothing was written.
    """
    if readable(block) == 0:
        return UNREADABLE
    reference = measure_around(block, deep, bands, sums, flags, around)
    limit = SUM_LIMIT // 2 // (reference + 1)
    count = sums.shape[1]
    for side in range(2):
        known = verified_edge(block, side)
        for band in range(count):
            row = side * count + band
            basis = sums[side, band, BASIS]
            out[row, KIND] = basis
            if basis == NONE:
                out[row, BASE] = np.nan
                out[row, USD] = np.nan
                continue
            edge = sums[side, band, EDGE]
            best = block[BEST + side]
            beyond = known - 1 if side == BID else known + 1
            held = sums[side, band, LOTS_SUM]
            lots = float(held)
            lot_ticks = 0.0
            if held < 0:
                if basis == SNAPSHOT:
                    lots, lot_ticks = walked_sums(block, side, best, known)
                    more_lots, more = walked_sums(deep, side, beyond, edge)
                    lots += more_lots
                    lot_ticks += more
                else:
                    lots, lot_ticks = walked_sums(block, side, best, edge)
            elif held > limit:
                lot_ticks = float(sums[side, band, OFFSET_SUM]) + float(reference) * lots
            else:
                lot_ticks = float(sums[side, band, OFFSET_SUM] + reference * held)
            if inverse:
                if basis == SNAPSHOT:
                    per_tick = lots_over_tick(block, side, best, known)
                    per_tick += lots_over_tick(deep, side, beyond, edge)
                else:
                    per_tick = lots_over_tick(block, side, best, edge)
                out[row, BASE] = per_tick * lot_unit / tick_unit * multiplier
                out[row, USD] = lots * lot_unit * fx
                continue
            out[row, BASE] = lots * lot_unit * multiplier
            out[row, USD] = lot_ticks * lot_tick_unit * fx
    return DONE


class Depth:
    """Depth of both sides within every band, at one moment.

    figures: float64[2 n, FIGURES]: bids first, bands in the order of `bands`; NaN where nothing may be said.
    """

    __slots__ = ("bands", "figures")

    def __init__(self, bands: BandSet, figures: Floats) -> None:
        self.bands = bands
        self.figures = figures

    def __iter__(self) -> Iterator[tuple[Side, str, float, float, Basis]]:
        """(side, band, USD, coins, basis) of every band of which something may be said."""
        for (side, band), (base, usd, kind) in zip(self.bands.places, self.figures.tolist(), strict=True):
            basis = BASES[int(kind)]
            if basis is not None:
                yield side, band, usd, base, basis
