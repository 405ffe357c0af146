"""What one sale does to pooled curves, for every scaling of the map (models.md 4.1, mode A)."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.kernel import F64, F64_1, F64_2, I64, kernel
from engines.liquidation.cascade import first_passage
from engines.liquidation.curves import FARTHEST_DOWN, FARTHEST_UP, inverse, is_curve, last_density, value_at, worth
from engines.liquidation.reasons import BAD_CURVE, BAD_PRICE, BAD_SALE, BAD_SETTINGS, NO_DEPTH, NOT_ABSORBED, OK

WHAT_IF_DIRECT: Final = 0  # the drop of the sale alone
WHAT_IF_LANDING: Final = 1  # with all it forces; inf: not absorbed above a price of zero
WHAT_IF_FORCED: Final = 2  # coins; a lower bound where there is no landing
WHAT_IF_FORCED_USD: Final = 3  # each coin at the price that liquidates it
WHAT_IF_MULTIPLIER: Final = 4
WHAT_IF_COLUMNS: Final = 5


@kernel(I64(F64_1, F64_1, F64_1, F64, I64, F64_1, F64, F64_2))
def what_if(
    x: NDArray[np.float64],
    absorption: NDArray[np.float64],
    liquidations: NDArray[np.float64],
    price: float,
    sign: int,
    scales: NDArray[np.float64],
    sale: float,
    found: NDArray[np.float64],
) -> int:
    """A sale (UP: a purchase) of `sale` coins into `found` float64[scales, WHAT_IF_COLUMNS].

    Returns OK or NOT_ABSORBED (one of the scalings has no landing), or a reason with every figure NaN. `x` must be a grid.
    """
    found[:, :] = math.nan
    n = x.shape[0]
    if not 0.0 < price < math.inf:
        return BAD_PRICE
    if not is_curve(absorption) or not is_curve(liquidations):
        return BAD_CURVE
    if not 0.0 < sale < math.inf:
        return BAD_SALE
    if absorption[n - 1] <= 0.0:
        return NO_DEPTH
    for s in range(scales.shape[0]):
        if not 0.0 <= scales[s] < math.inf:
            return BAD_SETTINGS
    farthest = FARTHEST_DOWN if sign < 0 else FARTHEST_UP
    direct = inverse(x, absorption, sale, last_density(x, absorption))
    code = OK
    for s in range(scales.shape[0]):
        landing = first_passage(x, absorption, liquidations, scales[s], sale)
        if landing >= farthest:
            landing, code = math.inf, NOT_ABSORBED
        forced = scales[s] * value_at(x, liquidations, landing, 0.0)
        found[s, WHAT_IF_DIRECT] = direct if direct < farthest else math.inf
        found[s, WHAT_IF_LANDING] = landing
        found[s, WHAT_IF_FORCED] = forced
        found[s, WHAT_IF_FORCED_USD] = scales[s] * worth(x, liquidations, 0.0, min(landing, x[n - 1]), 0.0, price, sign)
        found[s, WHAT_IF_MULTIPLIER] = (sale + forced) / sale
    return code
