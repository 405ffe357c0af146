"""A sale into displayed books that forces further sales: first passage, gain, and where it runs away (models.md 4.1, mode A).

Net absorption H = B - s Lambda (s: scaling of the map). The drop of a sale of q coins is the first x with H(x) >= q: the least
fixed point of "sell q and all that is liquidated on the way", in one pass (Eisenberg-Noe 2001, Cont-Schaanning 2017).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.kernel import BOOL, F64, F64_1, F64_2, I64, kernel
from engines.liquidation.curves import inverse, last_density, value_at, worth

# Columns of a jump: one row for each sale at which the drop jumps.
JUMP_IGNITION: Final = 0  # coins: a sale of any more runs away
JUMP_START: Final = 1  # the drop where it runs away
JUMP_LANDING: Final = 2  # the drop where it is absorbed; inf: not within the nodes
JUMP_FORCED: Final = 3  # coins liquidated between the two; up to the last node where there is no landing
JUMP_COLUMNS: Final = 4

# What `assess` finds. Without an ignition its ratios, coins and USD are inf and what is forced is 0.
GAIN: Final = 0  # at the price: liquidated over absorbed coins within the gain window; inf: nothing absorbs
IGNITIONS: Final = 1  # number of jumps above the noise floor
IGNITION_BASE: Final = 2
IGNITION_USD: Final = 3  # proceeds (cost) of that sale in the book alone
DIRECT_RATIO: Final = 4  # the drop it would cause without any liquidation
RUNAWAY_RATIO: Final = 5  # cascade distance
LANDING_RATIO: Final = 6
FORCED_BASE: Final = 7  # extra: ignition to landing
FORCED_USD: Final = 8  # the same, each coin at the price that liquidates it
LARGEST_IGNITION_BASE: Final = 9  # the same of the jump that forces most, where that exceeds the notional floor
LARGEST_RUNAWAY_RATIO: Final = 10
LARGEST_LANDING_RATIO: Final = 11
LARGEST_FORCED_BASE: Final = 12
LARGEST_FORCED_USD: Final = 13
CASCADE_COLUMNS: Final = 14


@kernel(I64(F64_1, F64_1, F64, F64_1))
def net_absorption(
    absorption: NDArray[np.float64], liquidations: NDArray[np.float64], scale: float, net: NDArray[np.float64]
) -> int:
    """H at the nodes into `net`; returns their number."""
    n = len(absorption)
    for i in range(n):
        net[i] = absorption[i] - scale * liquidations[i]
    return n


@kernel(F64(F64_1, F64_1, I64, F64, F64))
def passage(x: NDArray[np.float64], level: NDArray[np.float64], count: int, beyond: float, target: float) -> float:
    """The first x at which a piecewise linear `level` (its first `count` nodes) reaches `target`.

    `beyond`: its slope after the last node. inf where it never does, NaN for NaN.
    """
    if math.isnan(target):
        return math.nan
    if level[0] >= target:
        return float(x[0])
    for i in range(1, count):
        if level[i] >= target:
            return float(x[i - 1] + (x[i] - x[i - 1]) * ((target - level[i - 1]) / (level[i] - level[i - 1])))
    if beyond > 0.0:
        return float(x[count - 1] + (target - level[count - 1]) / beyond)
    return math.inf


@kernel(F64(F64_1, F64_1, F64_1, F64, F64))
def first_passage(
    x: NDArray[np.float64],
    absorption: NDArray[np.float64],
    liquidations: NDArray[np.float64],
    scale: float,
    sale: float,
) -> float:
    """x*(q): the drop of a sale of `sale` coins with all it forces; inf where the book never absorbs it, NaN for NaN."""
    n = x.shape[0]
    if math.isnan(sale):
        return math.nan
    if sale <= 0.0:
        return 0.0
    before = 0.0
    for i in range(1, n):
        level = absorption[i] - scale * liquidations[i]
        if level >= sale:
            return float(x[i - 1] + (x[i] - x[i - 1]) * ((sale - before) / (level - before)))
        before = level
    density = last_density(x, absorption)
    return float(x[n - 1] + (sale - before) / density) if density > 0.0 else math.inf


@kernel(F64(F64, F64))
def multiplier(sale: float, forced: float) -> float:
    """M = (q + forced) / q; NaN without a sale."""
    return (sale + forced) / sale if sale > 0.0 else math.nan


@kernel(I64(F64_1, F64_1, F64_1, F64_1))
def gains(
    x: NDArray[np.float64],
    absorption: NDArray[np.float64],
    liquidations: NDArray[np.float64],
    gain: NDArray[np.float64],
) -> int:
    """G = lambda / b of every segment into `gain` float64[n - 1]; inf where nothing absorbs, 0 where nothing is there at all."""
    n = len(x)
    for i in range(n - 1):
        forced, absorbed = liquidations[i + 1] - liquidations[i], absorption[i + 1] - absorption[i]
        gain[i] = forced / absorbed if absorbed > 0.0 else (math.inf if forced > 0.0 else 0.0)
    return n - 1


@kernel(F64(F64_1, F64_1, F64_1, F64))
def gain_at_price(
    x: NDArray[np.float64], absorption: NDArray[np.float64], liquidations: NDArray[np.float64], window: float
) -> float:
    """Mean gain over the drops up to `window`: one segment next to the price is mostly spread and says little."""
    forced = value_at(x, liquidations, window, 0.0)
    absorbed = value_at(x, absorption, window, last_density(x, absorption))
    if absorbed > 0.0:
        return forced / absorbed
    return math.inf if forced > 0.0 else 0.0


@kernel(I64(F64_1, F64_1, I64, F64_2))
def find_jumps(x: NDArray[np.float64], level: NDArray[np.float64], count: int, rows: NDArray[np.float64]) -> int:
    """Where the first passage of `level` jumps: every maximum that is a running maximum and is left downwards.

    Writes JUMP_IGNITION, JUMP_START, JUMP_LANDING; returns the number of jumps, also of those `rows` has no place for. It lands
    where the level first exceeds the maximum again (two equal peaks are one jump); a plateau is a jump to its end.
    """
    found = 0
    highest, start, left = level[0], x[0], False
    for i in range(1, count):
        if level[i] > highest:
            if left:
                if found < rows.shape[0]:
                    part = (highest - level[i - 1]) / (level[i] - level[i - 1])
                    rows[found, JUMP_IGNITION] = highest
                    rows[found, JUMP_START] = start
                    rows[found, JUMP_LANDING] = x[i - 1] + (x[i] - x[i - 1]) * part
                found += 1
                left = False
            highest, start = level[i], x[i]
        else:
            left = True
    if left:
        if found < rows.shape[0]:
            rows[found, JUMP_IGNITION] = highest
            rows[found, JUMP_START] = start
            rows[found, JUMP_LANDING] = math.inf
        found += 1
    return found


@kernel(I64(F64_1, F64_1, F64_1, F64, F64, F64_1, F64_2))
def jumps(
    x: NDArray[np.float64],
    absorption: NDArray[np.float64],
    liquidations: NDArray[np.float64],
    scale: float,
    noise_base: float,
    net: NDArray[np.float64],
    rows: NDArray[np.float64],
) -> int:
    """All ignition points that force more than `noise_base` coins, in ascending order, into `rows` float64[m, JUMP_COLUMNS].

    `net` float64[n] is scratch. With m = n // 2 + 1 rows there is place for all. Returns how many rows were written.
    """
    count = net_absorption(absorption, liquidations, scale, net)
    found = min(find_jumps(x, net, count, rows), rows.shape[0])
    kept = 0
    for i in range(found):
        start, landing = rows[i, JUMP_START], rows[i, JUMP_LANDING]
        forced = scale * (value_at(x, liquidations, landing, 0.0) - value_at(x, liquidations, start, 0.0))
        if forced > max(noise_base, 0.0):
            rows[kept, JUMP_IGNITION] = rows[i, JUMP_IGNITION]
            rows[kept, JUMP_START], rows[kept, JUMP_LANDING], rows[kept, JUMP_FORCED] = start, landing, forced
            kept += 1
    return kept


@kernel(BOOL(F64_1, F64_1, F64_1, F64, I64, F64, F64, F64, F64, F64_1, F64_2, F64_1))
def assess(
    x: NDArray[np.float64],
    absorption: NDArray[np.float64],
    liquidations: NDArray[np.float64],
    price: float,
    sign: int,
    scale: float,
    noise_base: float,
    floor_usd: float,
    gain_window: float,
    net: NDArray[np.float64],
    rows: NDArray[np.float64],
    found: NDArray[np.float64],
) -> bool:
    """Gain, first ignition and largest ignition into `found` float64[CASCADE_COLUMNS]; True when there is an ignition.

    A jump of `noise_base` coins or less is none. `net` float64[n] and `rows` float64[n // 2 + 1, JUMP_COLUMNS] are scratch.
    """
    found[:CASCADE_COLUMNS] = math.inf
    found[FORCED_BASE] = found[FORCED_USD] = 0.0
    found[LARGEST_FORCED_BASE] = found[LARGEST_FORCED_USD] = 0.0
    found[GAIN] = scale * gain_at_price(x, absorption, liquidations, gain_window)
    count = jumps(x, absorption, liquidations, scale, noise_base, net, rows)
    found[IGNITIONS] = count
    density = last_density(x, absorption)
    end = x[x.shape[0] - 1]
    for i in range(count):
        start, landing = rows[i, JUMP_START], rows[i, JUMP_LANDING]
        usd = scale * worth(x, liquidations, start, min(landing, end), 0.0, price, sign)
        if i == 0:
            found[IGNITION_BASE] = rows[i, JUMP_IGNITION]
            found[DIRECT_RATIO] = inverse(x, absorption, rows[i, JUMP_IGNITION], density)
            found[IGNITION_USD] = worth(x, absorption, 0.0, found[DIRECT_RATIO], density, price, sign)
            found[RUNAWAY_RATIO], found[LANDING_RATIO] = start, landing
            found[FORCED_BASE], found[FORCED_USD] = rows[i, JUMP_FORCED], usd
        if usd >= floor_usd and usd > found[LARGEST_FORCED_USD]:
            found[LARGEST_IGNITION_BASE] = rows[i, JUMP_IGNITION]
            found[LARGEST_RUNAWAY_RATIO], found[LARGEST_LANDING_RATIO] = start, landing
            found[LARGEST_FORCED_BASE], found[LARGEST_FORCED_USD] = rows[i, JUMP_FORCED], usd
    return count > 0
