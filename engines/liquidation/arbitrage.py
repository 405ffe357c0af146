"""Several venues held together by arbitrage (models.md 4.2).

Arbitrageurs buy where the drop is deepest and sell where it is shallowest while the gap exceeds a band, up to a volume. Given what is
sold on each venue the drops are clip(own drop, l, h): h - l is the band, or, when that would take more volume, what is bought at h and
what is sold at l are each just the volume. Buys fall with h and sells rise with l, so each of the three is one root; widening the
band until the volume fits ends at the same pair. Outside, forced sales follow the marks, and marks follow the drops.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.kernel import F64, F64_1, F64_2, I64, I64_1, borrowing_kernel
from engines.liquidation.grid import PAIR, drop_of, locate, read_row

# What `settle` says of all venues together.
VOLUME: Final = 0  # coins bought here and sold there
LOW: Final = 1  # no venue that arbitrageurs sell on is higher than this drop, and none they buy on deeper than HIGH
HIGH: Final = 2
BOUND: Final = 3  # 1: the volume was the limit, and the gap stays wider than the band
TOTAL_SALES: Final = 4  # own and forced
ROUNDS: Final = 5
SETTLED_COLUMNS: Final = 6

# Return codes of `settle`.
SETTLED: Final = 0
NOT_SETTLED: Final = 1  # the loop did not converge in the rounds it had; the figures are those of the last round
NOT_ABSORBED: Final = 2  # some venue ends at the farthest drop: its book and arbitrage together do not absorb its sales

_NEWTON: Final = 80
_HALVE_EVERY: Final = 3  # the slope leads quickly, halving leads surely


@borrowing_kernel(PAIR(F64_1, I64_1, F64, F64_2, I64_1, F64_1, F64, F64))
def buys_and_sells(
    x: NDArray[np.float64],
    cells: NDArray[np.int64],
    per_unit: float,
    absorption: NDArray[np.float64],
    active: NDArray[np.int64],
    sales: NDArray[np.float64],
    low: float,
    high: float,
) -> tuple[float, float]:
    """(coins bought where sales go beyond `high`, coins sold where they stop short of `low`)."""
    place, part = locate(x, cells, per_unit, low)
    deep, deep_part = locate(x, cells, per_unit, high)
    i, j = int(place), int(deep)
    bought = sold = 0.0
    for k in range(active.shape[0]):
        v = active[k]
        bought += max(0.0, sales[v] - read_row(absorption, v, j, deep_part))
        sold += max(0.0, read_row(absorption, v, i, part) - sales[v])
    return bought, sold


@borrowing_kernel(F64(F64_1, I64_1, F64, F64_2, I64_1, F64_1, F64, F64, F64, F64, F64, F64, F64))
def _root(
    x: NDArray[np.float64],
    cells: NDArray[np.int64],
    per_unit: float,
    absorption: NDArray[np.float64],
    active: NDArray[np.int64],
    sales: NDArray[np.float64],
    buying: float,
    selling: float,
    constant: float,
    band: float,
    low: float,
    high: float,
    guess: float,
) -> float:
    """A zero in [low, high] of the non-decreasing f(z) = constant + selling x sells(z) - buying x buys(z + band).

    Newton on the pieces, kept between shrinking bounds. The nearer end where f has no zero.
    """
    enough = 0.0
    for k in range(active.shape[0]):
        enough += 1e-14 * sales[active[k]]
    z = guess if low < guess < high else 0.5 * (low + high)
    for step in range(_NEWTON):
        place, part = locate(x, cells, per_unit, z)
        deep, deep_part = locate(x, cells, per_unit, z + band)
        i, j = int(place), int(deep)
        width, deep_width = x[i + 1] - x[i], x[j + 1] - x[j]
        value, bought, sold, slope = constant, 0.0, 0.0, 0.0
        for k in range(active.shape[0]):
            v = active[k]
            short = sales[v] - (absorption[v, j] + deep_part * (absorption[v, j + 1] - absorption[v, j]))
            if short > 0.0:
                bought += short
                slope += buying * (absorption[v, j + 1] - absorption[v, j]) / deep_width
            over = absorption[v, i] + part * (absorption[v, i + 1] - absorption[v, i]) - sales[v]
            if over > 0.0:
                sold += over
                slope += selling * (absorption[v, i + 1] - absorption[v, i]) / width
        value += selling * sold - buying * bought
        if abs(value) <= enough:
            return z
        if value < 0.0:
            low = z
        else:
            high = z
        if high - low <= 1e-16 + 4e-16 * high:
            break
        z = z - value / slope if slope > 0.0 and step % _HALVE_EVERY != _HALVE_EVERY - 1 else math.inf
        if not low < z < high:
            z = 0.5 * (low + high)
    return high


@borrowing_kernel(I64(F64_1, I64_1, F64, F64_2, I64_1, F64_1, F64, F64, F64, I64_1, F64_1, F64_1))
def level_out(
    x: NDArray[np.float64],
    cells: NDArray[np.int64],
    per_unit: float,
    absorption: NDArray[np.float64],
    active: NDArray[np.int64],
    sales: NDArray[np.float64],
    band: float,
    max_volume: float,
    farthest: float,
    hints: NDArray[np.int64],
    drops: NDArray[np.float64],
    found: NDArray[np.float64],
) -> int:
    """Drops of the active venues for given sales, and VOLUME, LOW, HIGH, BOUND; `found` is also where the last call left them.

    All arrays by venue are float64[v], `absorption` float64[v, n], `active` the rows that take part. Returns SETTLED or NOT_ABSORBED.
    """
    least, most = math.inf, -math.inf
    for k in range(active.shape[0]):
        v = active[k]
        drops[v] = drop_of(x, absorption, v, sales[v], hints, farthest)
        least, most = min(least, drops[v]), max(most, drops[v])
    guess_low, guess_high = found[LOW], found[HIGH]
    found[VOLUME], found[LOW], found[HIGH], found[BOUND] = 0.0, least, most, 0.0
    if most - least > band:
        low = _root(x, cells, per_unit, absorption, active, sales, 1.0, 1.0, 0.0, band, least, most - band, guess_low)
        high = low + band
        bought, sold = buys_and_sells(x, cells, per_unit, absorption, active, sales, low, high)
        volume = min(bought, sold)  # equal, unless some book cannot take its part
        if volume > max_volume:
            high = _root(
                x, cells, per_unit, absorption, active, sales, 1.0, 0.0, max_volume, 0.0, least, most, guess_high
            )
            low = _root(
                x, cells, per_unit, absorption, active, sales, 0.0, 1.0, -max_volume, 0.0, least, most, guess_low
            )
            low = min(low, high - band)
            volume, found[BOUND] = max_volume, 1.0
        found[VOLUME], found[LOW], found[HIGH] = volume, low, high
        for k in range(active.shape[0]):
            v = active[k]
            drops[v] = min(max(drops[v], low), high)
    for k in range(active.shape[0]):
        if drops[active[k]] >= farthest:
            return NOT_ABSORBED
    return SETTLED


@borrowing_kernel(
    I64(F64_1, I64_1, F64, F64_2, F64_2, I64_1, F64, F64_1, F64_1, F64, F64, F64, F64, F64, I64, I64_1, F64_1, F64_1, F64_1)
)  # fmt: skip
def settle(
    x: NDArray[np.float64],
    cells: NDArray[np.int64],
    per_unit: float,
    absorption: NDArray[np.float64],
    liquidations: NDArray[np.float64],
    active: NDArray[np.int64],
    scale: float,
    own: NDArray[np.float64],
    weights: NDArray[np.float64],
    index_weight: float,
    band: float,
    max_volume: float,
    farthest: float,
    tolerance: float,
    max_rounds: int,
    hints: NDArray[np.int64],
    drops: NDArray[np.float64],
    sales: NDArray[np.float64],
    found: NDArray[np.float64],
) -> int:
    """Own sales float64[v], what they force on every venue, and arbitrage between, repeated from the own sales to rest.

    Args:
        x, cells, per_unit: the shared grid and its table (grid.cells_of).
        absorption, liquidations: float64[v, n]; active: int64[a], venues that take part.
        weights: of the index, float64[v], summing to 1 over the active ones; index_weight: share of the index in every mark.
        band: eps; max_volume: coins; farthest: the drop nothing goes beyond. inf and inf where there is no arbitrage.
        tolerance: at rest when no round moves all venues' sales by more than this share of them.
        hints: int64[v], places remembered from call to call; they change how fast it is and not what comes out.
        drops, sales, found: float64[v] twice, float64[SETTLED_COLUMNS]; the results.

    Returns SETTLED, NOT_SETTLED or NOT_ABSORBED.
    """
    band = min(band, farthest)  # wider than any gap there can be
    found[:] = 0.0
    for k in range(active.shape[0]):
        sales[active[k]] = own[active[k]]
    for done in range(1, max_rounds + 1):
        code = level_out(x, cells, per_unit, absorption, active, sales, band, max_volume, farthest, hints, drops, found)
        index = 0.0
        for k in range(active.shape[0]):
            index += weights[active[k]] * drops[active[k]]
        total = moved = 0.0
        for k in range(active.shape[0]):
            v = active[k]
            mark = index_weight * index + (1.0 - index_weight) * drops[v]
            place, part = locate(x, cells, per_unit, mark)
            forced = scale * read_row(liquidations, v, int(place), min(part, 1.0))
            moved += abs(own[v] + forced - sales[v])
            sales[v] = own[v] + forced
            total += sales[v]
        found[TOTAL_SALES], found[ROUNDS] = total, done
        if moved <= tolerance * total:
            return code
    return NOT_SETTLED
