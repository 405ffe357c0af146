"""A common price shock that forces sales into books that keep their shape below it (models.md 4.1, mode B).

After a shock x0 the drop is the least x >= x0 with x = x0 + B^-1(s Lambda(x)): the first x at which K(x) = x - B^-1(s Lambda(x))
reaches x0. K is piecewise linear, so it is written out once and every shock and every ignition is read off it.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.kernel import F64, F64_1, F64_2, I64, kernel
from engines.liquidation.cascade import find_jumps, passage
from engines.liquidation.curves import last_density

# Columns of a shock's jump, beside JUMP_START and JUMP_LANDING of cascade.py.
JUMP_SHOCK: Final = 0


def headroom_size(nodes: int) -> int:
    """Places `headroom` may need: one for each node of Lambda, two for each node of B."""
    return 3 * nodes + 2


@kernel(I64(F64_1, F64_1, F64_1, F64, F64_1, F64_1))
def headroom(
    x: NDArray[np.float64],
    absorption: NDArray[np.float64],
    liquidations: NDArray[np.float64],
    scale: float,
    at: NDArray[np.float64],
    level: NDArray[np.float64],
) -> int:
    """K as nodes (at, level), float64[headroom_size(n)] each; returns their number.

    A stretch without bids is a fall of K at one place. Where the book holds no more and has no last density, K ends at -inf.
    """
    n = x.shape[0]
    density = last_density(x, absorption)
    at[0], level[0], count = 0.0, 0.0, 1
    j = 0  # absorption[j] is the last one that Lambda has reached
    for i in range(1, n):
        low, high = scale * liquidations[i - 1], scale * liquidations[i]
        place, reached = x[i - 1], False
        while high > low:
            if j < n - 1 and absorption[j + 1] <= absorption[j]:  # nothing stands here: what comes now falls through
                while j < n - 1 and absorption[j + 1] <= absorption[j]:
                    j += 1
                at[count], level[count] = place, place - x[j]
                count += 1
            if j == n - 1 or absorption[j + 1] > high:
                break
            j += 1
            reached = absorption[j] == high
            place = x[i] if reached else x[i - 1] + (x[i] - x[i - 1]) * ((absorption[j] - low) / (high - low))
            at[count], level[count] = place, place - x[j]
            count += 1
            if reached:
                break
        if reached:
            continue
        if j == n - 1 and high > absorption[j]:
            if density <= 0.0:
                at[count], level[count] = place, -math.inf
                return count + 1
            depth = x[j] + (high - absorption[j]) / density
        elif high > absorption[j]:
            depth = x[j] + (x[j + 1] - x[j]) * ((high - absorption[j]) / (absorption[j + 1] - absorption[j]))
        else:
            depth = x[j]
        at[count], level[count] = x[i], x[i] - depth
        count += 1
    return count


@kernel(F64(F64_1, F64_1, I64, F64))
def shock_passage(at: NDArray[np.float64], level: NDArray[np.float64], count: int, shock: float) -> float:
    """x*(x0) from K; inf where it is never absorbed, NaN for NaN. Beyond the last node nothing more is forced."""
    return passage(at, level, count, 1.0 if level[count - 1] > -math.inf else 0.0, shock)


@kernel(I64(F64_1, F64_1, I64, F64_2))
def shock_jumps(at: NDArray[np.float64], level: NDArray[np.float64], count: int, rows: NDArray[np.float64]) -> int:
    """All shocks at which x* jumps: JUMP_SHOCK, JUMP_START, JUMP_LANDING; returns how many rows were written."""
    return min(find_jumps(at, level, count, rows), len(rows))
