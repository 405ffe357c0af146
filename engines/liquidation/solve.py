"""One side of an asset in one call: ignition over all venues, then what arbitrage makes of it, for every scaling (models.md 4.1, 4.2).

The sum of the venues' curves is the market with perfect arbitrage, and gives the ignition exactly. A sale just above it (or a reference
sale where nothing ignites) is then put on the venues by given shares, once with arbitrage as it works now and once without any.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.kernel import F64, F64_1, F64_2, I64, I64_1, kernel
from engines.liquidation.arbitrage import BOUND, HIGH, LOW, ROUNDS, SETTLED_COLUMNS, TOTAL_SALES, VOLUME, settle
from engines.liquidation.cascade import (
    CASCADE_COLUMNS,
    IGNITION_BASE,
    JUMP_COLUMNS,
    LANDING_RATIO,
    assess,
    first_passage,
)
from engines.liquidation.curves import FARTHEST_DOWN, FARTHEST_UP, value_at
from engines.liquidation.reasons import BAD_CURVE, BAD_PRICE, BAD_SETTINGS, NO_DEPTH, NO_LIQUIDATIONS, OK

# Columns of a scaling, after those of cascade.assess.
SALE_BASE: Final = CASCADE_COLUMNS  # the sale the following are about
POOLED_LANDING: Final = CASCADE_COLUMNS + 1
POOLED_MULTIPLIER: Final = CASCADE_COLUMNS + 2
ARB_MULTIPLIER: Final = CASCADE_COLUMNS + 3
ARB_VOLUME: Final = CASCADE_COLUMNS + 4  # coins
ARB_BOUND: Final = CASCADE_COLUMNS + 5  # 1: arbitrage is at its volume
ARB_LOW: Final = CASCADE_COLUMNS + 6  # the shallowest and deepest level arbitrage holds venues to
ARB_HIGH: Final = CASCADE_COLUMNS + 7
ARB_CODE: Final = CASCADE_COLUMNS + 8  # arbitrage.SETTLED, NOT_SETTLED, NOT_ABSORBED
ARB_ROUNDS: Final = CASCADE_COLUMNS + 9
ISOLATED_MULTIPLIER: Final = CASCADE_COLUMNS + 10  # of all venues without arbitrage
ISOLATED_WORST: Final = CASCADE_COLUMNS + 11  # the largest of one venue
ISOLATED_VENUE: Final = CASCADE_COLUMNS + 12  # which; -1 where none is sold on
SCALE_COLUMNS: Final = CASCADE_COLUMNS + 13

# Places in `settings`.
NOISE_BASE: Final = 0  # coins: a jump that forces no more is none
FLOOR_USD: Final = 1  # of the largest jump
BAND: Final = 2
MAX_VOLUME: Final = 3  # coins
INDEX_WEIGHT: Final = 4
GAIN_WINDOW: Final = 5
OVERSHOOT: Final = 6  # the sale is the ignition and this share of it
REFERENCE_BASE: Final = 7  # the sale where nothing ignites
TOLERANCE: Final = 8
MAX_ROUNDS: Final = 9
SETTINGS_SIZE: Final = 10

# Where any sale at all ignites: of the reference sale, or where there is none of the depth.
_LEAST_SHARE: Final = 0.01
_LEAST_SALE: Final = 1e-9


@kernel(I64(F64_2, F64_2, F64_2, F64_1, F64_1, F64_1, I64_1))
def pool(
    absorption: NDArray[np.float64],
    known: NDArray[np.float64],
    liquidations: NDArray[np.float64],
    pooled: NDArray[np.float64],
    pooled_known: NDArray[np.float64],
    pooled_liquidations: NDArray[np.float64],
    codes: NDArray[np.int64],
) -> int:
    """Sums over the venues whose three curves are sound, `codes` int64[v] OK or BAD_CURVE; returns how many are sound."""
    venues, n = absorption.shape
    pooled[:] = 0.0
    pooled_known[:] = 0.0
    pooled_liquidations[:] = 0.0
    sound = 0
    for v in range(venues):
        b, k, forced = absorption[v], known[v], liquidations[v]
        wrong = 0
        for i in range(1, n):  # counted without a branch, so that it runs several nodes at a time; NaN counts
            wrong += 1 - int(b[i] >= b[i - 1])
            wrong += 1 - int(k[i] >= k[i - 1])
            wrong += 1 - int(forced[i] >= forced[i - 1])
        ends = b[n - 1] < math.inf and k[n - 1] < math.inf and forced[n - 1] < math.inf
        if wrong > 0 or not ends or b[0] != 0.0 or k[0] != 0.0 or forced[0] != 0.0:
            codes[v] = BAD_CURVE
            continue
        codes[v] = OK
        sound += 1
        for i in range(n):
            pooled[i] += b[i]
            pooled_known[i] += k[i]
            pooled_liquidations[i] += forced[i]
    return sound


@kernel(I64(F64_1, F64_2, F64_2, F64, F64, F64_1, I64_1, F64_1, F64_1))
def isolated(
    x: NDArray[np.float64],
    absorption: NDArray[np.float64],
    liquidations: NDArray[np.float64],
    scale: float,
    farthest: float,
    own: NDArray[np.float64],
    active: NDArray[np.int64],
    drops: NDArray[np.float64],
    found: NDArray[np.float64],
) -> int:
    """Every venue for itself: `drops` float64[v], and ISOLATED_MULTIPLIER, _WORST, _VENUE of a scaling's row; the worst venue."""
    total = sales = 0.0
    found[ISOLATED_WORST] = 1.0
    worst = -1
    for k in range(active.shape[0]):
        v = active[k]
        drops[v] = min(farthest, first_passage(x, absorption[v], liquidations[v], scale, own[v]))
        if own[v] > 0.0:
            forced = scale * value_at(x, liquidations[v], drops[v], 0.0)
            total += own[v]
            sales += own[v] + forced
            if worst < 0 or (own[v] + forced) / own[v] > found[ISOLATED_WORST]:
                found[ISOLATED_WORST] = (own[v] + forced) / own[v]
                worst = v
    found[ISOLATED_MULTIPLIER] = sales / total if total > 0.0 else 1.0
    found[ISOLATED_VENUE] = worst
    return worst


@kernel(
    I64(F64_1, I64_1, F64, F64_2, F64_2, F64_2, F64, I64, F64_1, F64_1, F64_1, F64_1, F64_2, F64_2, I64_1, F64_2, F64_2, F64_1)
)  # fmt: skip
def solve_side(
    x: NDArray[np.float64],
    cells: NDArray[np.int64],
    per_unit: float,
    absorption: NDArray[np.float64],
    known: NDArray[np.float64],
    liquidations: NDArray[np.float64],
    price: float,
    sign: int,
    scales: NDArray[np.float64],
    shares: NDArray[np.float64],
    weights: NDArray[np.float64],
    settings: NDArray[np.float64],
    pooled: NDArray[np.float64],
    by_venue: NDArray[np.float64],
    codes: NDArray[np.int64],
    found: NDArray[np.float64],
    landings: NDArray[np.float64],
    observed: NDArray[np.float64],
) -> int:
    """Everything about one side.

    Args:
        x, cells, per_unit: the grid and its table; curves float64[v, n], `known` the part of the absorption seen in a book.
        shares: of the sale, by venue; weights: of the index, by venue. Both are taken as parts of their sums over sound venues.
        settings: float64[SETTINGS_SIZE]; pooled: float64[4, n] and by_venue: float64[3, v] are scratch; `pooled` keeps the sums of
            absorption, known and liquidations in its first three rows.
        codes: int64[v]; found: float64[s, SCALE_COLUMNS]; landings: float64[s, v], NaN for a venue that is not sound.
        observed: float64[s], share of the absorption up to the landing (no ignition, or no landing: the end of the grid) that is known.

    Returns OK, NO_LIQUIDATIONS, or a reason with every figure NaN.
    """
    venues, n = absorption.shape
    found[:, :] = math.nan
    landings[:, :] = math.nan
    observed[:] = math.nan
    if not 0.0 < price < math.inf:
        codes[:] = BAD_PRICE
        return BAD_PRICE
    sound = pool(absorption, known, liquidations, pooled[0], pooled[1], pooled[2], codes)
    if sound == 0:
        return BAD_CURVE
    if pooled[0, n - 1] <= 0.0:
        return NO_DEPTH
    active = np.empty(sound, np.int64)
    all_shares = all_weights = 0.0
    sound = 0
    right = True
    for v in range(venues):
        if codes[v] == OK:
            active[sound] = v
            sound += 1
            right = right and shares[v] >= 0.0 and weights[v] >= 0.0
            all_shares += shares[v]
            all_weights += weights[v]
    for s in range(scales.shape[0]):
        right = right and 0.0 <= scales[s] < math.inf
    for i in range(SETTINGS_SIZE):
        right = right and settings[i] >= 0.0
    if not (right and all_shares < math.inf and all_weights < math.inf and settings[INDEX_WEIGHT] <= 1.0):
        return BAD_SETTINGS
    if not (
        settings[OVERSHOOT] < math.inf and settings[REFERENCE_BASE] < math.inf and 1.0 <= settings[MAX_ROUNDS] < 1e6
    ):
        return BAD_SETTINGS
    own, parts, sales = by_venue[0], by_venue[1], by_venue[2]
    hints = np.zeros(venues, np.int64)
    rows = np.empty((n // 2 + 1, JUMP_COLUMNS))
    settled = np.empty(SETTLED_COLUMNS)
    farthest = FARTHEST_DOWN if sign < 0 else FARTHEST_UP
    for s in range(scales.shape[0]):
        row = found[s]
        ignites = assess(
            x,
            pooled[0],
            pooled[2],
            price,
            sign,
            scales[s],
            settings[NOISE_BASE],
            settings[FLOOR_USD],
            settings[GAIN_WINDOW],
            pooled[3],
            rows,
            row,
        )
        end = min(row[LANDING_RATIO], x[n - 1])
        standing = value_at(x, pooled[0], end, 0.0)
        observed[s] = min(1.0, value_at(x, pooled[1], end, 0.0) / standing) if standing > 0.0 else 0.0
        sale = settings[REFERENCE_BASE]
        if ignites:
            sale = row[IGNITION_BASE] * (1.0 + settings[OVERSHOOT])
        sale = max(sale, _LEAST_SHARE * settings[REFERENCE_BASE], _LEAST_SALE * pooled[0, n - 1])
        row[SALE_BASE] = sale
        row[POOLED_LANDING] = first_passage(x, pooled[0], pooled[2], scales[s], sale)
        row[POOLED_MULTIPLIER] = (sale + scales[s] * value_at(x, pooled[2], row[POOLED_LANDING], 0.0)) / sale
        for k in range(sound):
            v = active[k]
            own[v] = sale * (shares[v] / all_shares if all_shares > 0.0 else 1.0 / sound)
            parts[v] = weights[v] / all_weights if all_weights > 0.0 else 1.0 / sound
        isolated(x, absorption, liquidations, scales[s], farthest, own, active, landings[s], row)
        row[ARB_CODE] = settle(
            x,
            cells,
            per_unit,
            absorption,
            liquidations,
            active,
            scales[s],
            own,
            parts,
            settings[INDEX_WEIGHT],
            settings[BAND],
            settings[MAX_VOLUME],
            farthest,
            settings[TOLERANCE],
            int(settings[MAX_ROUNDS]),
            hints,
            landings[s],
            sales,
            settled,
        )
        row[ARB_MULTIPLIER] = settled[TOTAL_SALES] / sale
        row[ARB_VOLUME], row[ARB_BOUND] = settled[VOLUME], settled[BOUND]
        row[ARB_LOW], row[ARB_HIGH], row[ARB_ROUNDS] = settled[LOW], settled[HIGH], settled[ROUNDS]
    return OK if pooled[2, n - 1] > 0.0 else NO_LIQUIDATIONS
