"""A sale over time: books refill, liquidation engines are rate limited, part of the impact stays (models.md 4.4).

Transient and permanent impact as in Obizhaeva and Wang. Without refill, permanent part and rate limit it ends where mode A does.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.kernel import F64, F64_1, I64, kernel
from engines.liquidation.curves import inverse, last_density, value_at
from engines.liquidation.reasons import BAD_CURVE, BAD_SALE, BAD_SETTINGS, NO_DEPTH, NOT_ABSORBED, OK

SIMULATED_MAX: Final = 0  # the deepest drop
SIMULATED_END: Final = 1  # the drop after the last step
SIMULATED_FORCED: Final = 2  # coins forced, sold or still waiting for the engines
SIMULATED_WAITING: Final = 3  # of which waiting
SIMULATED_MULTIPLIER: Final = 4
SIMULATED_COLUMNS: Final = 5


def effective_gain(gain: float, kappa: float, seconds: float) -> float:
    """The gain when forced selling is spread over `seconds` while the book refills at `kappa` a second."""
    pace = kappa * seconds
    return gain * -math.expm1(-pace) / pace if pace > 0.0 else gain


@kernel(I64(F64_1, F64_1, F64_1, F64, F64_1, F64, F64, F64, F64, F64, F64_1, F64_1))
def simulate(
    x: NDArray[np.float64],
    absorption: NDArray[np.float64],
    liquidations: NDArray[np.float64],
    scale: float,
    exogenous: NDArray[np.float64],
    step_seconds: float,
    kappa: float,
    theta: float,
    cap: float,
    mark_speed: float,
    drops: NDArray[np.float64],
    found: NDArray[np.float64],
) -> int:
    """One run over `exogenous` float64[steps], coins sold from outside in each step.

    Args:
        x, absorption, liquidations: a grid and its curves, scale of the latter.
        kappa: refill rate a second (1.5); theta: permanent share of impact, 0..1; cap: coins a second the engines sell, inf: any.
        mark_speed: share of the gap to the price the worst mark closes in a step, 0..1.
        drops: float64[steps], the drop after each step; found: float64[SIMULATED_COLUMNS].

    Returns OK, NOT_ABSORBED (the run was ended where the book held no more; drops from there are inf), or a reason with every
    figure NaN.
    """
    drops[:] = math.nan
    found[:SIMULATED_COLUMNS] = math.nan
    n = x.shape[0]
    for i in range(1, n):
        if not (absorption[i] >= absorption[i - 1] and liquidations[i] >= liquidations[i - 1]):
            return BAD_CURVE
    if not (absorption[n - 1] < math.inf and liquidations[n - 1] < math.inf):
        return BAD_CURVE
    if absorption[n - 1] <= 0.0:
        return NO_DEPTH
    if not (0.0 < step_seconds < math.inf and 0.0 <= kappa < math.inf and 0.0 <= theta <= 1.0 and cap >= 0.0):
        return BAD_SETTINGS
    if not (0.0 <= mark_speed <= 1.0 and 0.0 <= scale < math.inf):
        return BAD_SETTINGS
    sold = 0.0
    for i in range(exogenous.shape[0]):
        if not 0.0 <= exogenous[i] < math.inf:
            return BAD_SALE
        sold += exogenous[i]
    if sold <= 0.0:
        return BAD_SALE
    density = last_density(x, absorption)
    depletion = permanent = mark = waiting = done = drop = deepest = 0.0
    code = OK
    for k in range(exogenous.shape[0]):
        due = scale * value_at(x, liquidations, mark, 0.0)
        waiting += due - done
        done = due
        executed = min(waiting, cap * step_seconds)
        waiting -= executed
        left = depletion * math.exp(-kappa * step_seconds)
        depletion = left + executed + exogenous[k]
        transient = inverse(x, absorption, depletion, density)
        if transient == math.inf:
            drops[k:] = drop = deepest = math.inf
            done, code = scale * liquidations[n - 1], NOT_ABSORBED
            break
        permanent += theta * max(0.0, transient - inverse(x, absorption, left, density))
        drop = permanent + (1.0 - theta) * transient
        mark = max(mark, mark + mark_speed * (drop - mark))
        drops[k] = drop
        deepest = max(deepest, drop)
    found[SIMULATED_MAX], found[SIMULATED_END] = deepest, drop
    found[SIMULATED_FORCED], found[SIMULATED_WAITING] = done, waiting
    found[SIMULATED_MULTIPLIER] = (sold + done) / sold
    return code
