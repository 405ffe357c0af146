"""Places on a shared grid of drops in O(1), and curves of many venues read at such a place.

The grid's range is cut into cells at most as wide as its closest nodes; a table holds the node at or before each cell's start, so a
look-up is one multiplication, one load and at most one or two steps. Nothing here allocates: these are the innermost calls.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import types
from numpy.typing import NDArray

from engines.kernel import F64, F64_1, F64_2, I64, I64_1, borrowing_kernel

PAIR: Final = types.UniTuple(F64, 2)  # type: ignore[no-untyped-call]
MAX_CELLS: Final = 65_536  # a grid with closer nodes than range / MAX_CELLS takes more steps, and is right all the same


def cells_of(x: NDArray[np.float64]) -> tuple[NDArray[np.int64], float]:
    """(node of each cell int64[m], cells per unit of x) of a valid grid."""
    span = float(x[-1])
    count = min(MAX_CELLS, max(1, math.ceil(span / float(np.diff(x).min()) - 1e-6)))
    starts = np.arange(count + 1) * (span / count)
    nodes = np.clip(np.searchsorted(x, starts, side="right") - 1, 0, len(x) - 2)
    return nodes.astype(np.int64), count / span


@borrowing_kernel(PAIR(F64_1, I64_1, F64, F64), inline=True)
def locate(x: NDArray[np.float64], cells: NDArray[np.int64], per_unit: float, at: float) -> tuple[float, float]:
    """(segment, part of it that lies before `at`); the part exceeds 1 beyond the last node. `at` is finite and >= 0."""
    last = x.shape[0] - 2
    if at >= x[last + 1]:
        return float(last), (at - x[last]) / (x[last + 1] - x[last])
    i = cells[min(int(at * per_unit), cells.shape[0] - 1)]
    while i < last and x[i + 1] <= at:
        i += 1
    while i > 0 and x[i] > at:
        i -= 1
    return float(i), (at - x[i]) / (x[i + 1] - x[i])


@borrowing_kernel(F64(F64_2, I64, I64, F64), inline=True)
def read_row(curves: NDArray[np.float64], row: int, segment: int, part: float) -> float:
    """A venue's curve at a located place; beyond the last node with its last density."""
    low = curves[row, segment]
    return float(low + part * (curves[row, segment + 1] - low))


@borrowing_kernel(F64(F64_1, F64_2, I64, F64, I64_1, F64), inline=True)
def drop_of(
    x: NDArray[np.float64],
    curves: NDArray[np.float64],
    row: int,
    coins: float,
    hints: NDArray[np.int64],
    farthest: float,
) -> float:
    """The first drop by which a venue holds `coins`, at most `farthest`. `hints` int64[v] remembers the segment between calls."""
    last = x.shape[0] - 1
    if coins <= 0.0:
        return 0.0
    if coins > curves[row, last]:
        rise = curves[row, last] - curves[row, last - 1]
        if rise <= 0.0:
            return farthest
        return min(farthest, float(x[last] + (coins - curves[row, last]) * ((x[last] - x[last - 1]) / rise)))
    i = hints[row]  # curve[i] < coins <= curve[i + 1]
    while i < last - 1 and curves[row, i + 1] < coins:
        i += 1
    while i > 0 and curves[row, i] >= coins:
        i -= 1
    hints[row] = i
    low = curves[row, i]
    return float(x[i] + (x[i + 1] - x[i]) * ((coins - low) / (curves[row, i + 1] - low)))
