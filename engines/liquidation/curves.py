"""Curves over drops: how much a book absorbs, how much is liquidated, between a price and a drop from it (models.md 4.1).

A curve is two arrays: `x` float64[n], strictly ascending drops from x[0] = 0, and cumulative base coins float64[n],
non-decreasing from 0; linear between nodes, n >= 2. Beyond the last node it goes on with a density in coins per unit of x: an
absorption with that of its last segment, liquidations with 0, because nothing is known of positions further away.
`sign` is DOWN (bids, long positions, prices p0 (1 - x)) or UP (asks, short positions, p0 (1 + x)).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.kernel import BOOL, F64, F64_1, I64, kernel

DOWN: Final = -1
UP: Final = 1
FARTHEST_DOWN: Final = 1.0  # a price of zero
FARTHEST_UP: Final = 10.0  # eleven times the price; beyond it an extrapolated book says nothing

# Spacing of the service's nodes: (up to this drop, step). Fine where leverage is high and books are dense.
_SPACING: Final = ((0.005, 0.25e-4), (0.05, 0.5e-4), (0.1, 1e-4), (0.19975, 2.5e-4))
NODES: Final = 2000


def drop_nodes() -> NDArray[np.float64]:
    """The NODES drops of the service: 0.25 bp apart to 0.5%, 0.5 bp to 5%, 1 bp to 10%, 2.5 bp to 19.975%."""
    quarters = [0]  # in quarters of a basis point, so that no rounding adds up
    for end, step in _SPACING:
        quarters += range(quarters[-1] + round(step * 4e4), round(end * 4e4) + 1, round(step * 4e4))
    return np.array(quarters, np.float64) / 4e4


@kernel(BOOL(F64_1))
def is_grid(x: NDArray[np.float64]) -> bool:
    """At least two finite drops, strictly ascending from 0."""
    n = x.shape[0]
    if n < 2 or x[0] != 0.0 or not x[n - 1] < math.inf:
        return False
    ascends = True
    for i in range(1, n):
        ascends = ascends and x[i] > x[i - 1]
    return ascends


@kernel(BOOL(F64_1))
def is_curve(curve: NDArray[np.float64]) -> bool:
    """Finite and non-decreasing from 0."""
    n = curve.shape[0]
    if n < 2 or curve[0] != 0.0 or not curve[n - 1] < math.inf:
        return False
    grows = True
    for i in range(1, n):
        grows = grows and curve[i] >= curve[i - 1]
    return grows


@kernel(F64(F64_1, F64_1))
def last_density(x: NDArray[np.float64], curve: NDArray[np.float64]) -> float:
    """Coins per unit of x of the last segment."""
    n = x.shape[0]
    return float((curve[n - 1] - curve[n - 2]) / (x[n - 1] - x[n - 2]))


@kernel(F64(F64_1, F64_1, F64, F64))
def value_at(x: NDArray[np.float64], curve: NDArray[np.float64], at: float, beyond: float) -> float:
    """Coins up to the drop `at`; `beyond`: the density after the last node. 0 at and below 0, NaN for NaN."""
    n = x.shape[0]
    if math.isnan(at):
        return math.nan
    if at <= 0.0:
        return 0.0
    if at >= x[n - 1]:
        return float(curve[n - 1] + beyond * (at - x[n - 1])) if beyond > 0.0 else float(curve[n - 1])
    i = np.searchsorted(x, at, side="right") - 1
    return float(curve[i] + (curve[i + 1] - curve[i]) * ((at - x[i]) / (x[i + 1] - x[i])))


@kernel(F64(F64_1, F64_1, F64, F64))
def inverse(x: NDArray[np.float64], curve: NDArray[np.float64], coins: float, beyond: float) -> float:
    """The first drop by which the curve holds `coins`; inf where it never does, NaN for NaN."""
    n = x.shape[0]
    if math.isnan(coins):
        return math.nan
    if coins <= 0.0:
        return 0.0
    if coins > curve[n - 1]:
        return float(x[n - 1] + (coins - curve[n - 1]) / beyond) if beyond > 0.0 else math.inf
    i = np.searchsorted(curve, coins, side="left")  # curve[i - 1] < coins <= curve[i]
    return float(x[i - 1] + (x[i] - x[i - 1]) * ((coins - curve[i - 1]) / (curve[i] - curve[i - 1])))


@kernel(F64(F64_1, F64_1, F64, F64, F64, F64, I64))
def worth(
    x: NDArray[np.float64],
    curve: NDArray[np.float64],
    start: float,
    end: float,
    beyond: float,
    price: float,
    sign: int,
) -> float:
    """price x integral over [start, end] of (1 + sign u) d curve(u): what these coins are worth where they stand.

    Of an absorption from 0: the proceeds of a sale (DOWN) or the cost of a purchase (UP). A falling price stops at 0.
    """
    n = x.shape[0]
    if sign < 0 and end > FARTHEST_DOWN:
        end = FARTHEST_DOWN
    if not end > start:
        return 0.0
    total = 0.0
    i = np.searchsorted(x, start, side="right") - 1 if start < x[n - 1] else n - 1
    while i < n - 1 and x[i] < end:
        u0, u1 = max(x[i], start), min(x[i + 1], end)
        total += (1.0 + sign * 0.5 * (u0 + u1)) * (curve[i + 1] - curve[i]) * ((u1 - u0) / (x[i + 1] - x[i]))
        i += 1
    if end > x[n - 1] and beyond > 0.0:
        u0 = max(x[n - 1], start)
        total += (1.0 + sign * 0.5 * (u0 + end)) * beyond * (end - u0)
    return price * total


@kernel(F64(F64_1, F64_1, F64, F64, F64, I64))
def coins_worth(
    x: NDArray[np.float64], curve: NDArray[np.float64], usd: float, beyond: float, price: float, sign: int
) -> float:
    """The inverse of `worth` from 0: coins whose sale (purchase) into this absorption alone brings (costs) `usd`.

    inf where the book never pays as much, NaN for NaN.
    """
    n = x.shape[0]
    if math.isnan(usd):
        return math.nan
    left = usd / price
    if left <= 0.0:
        return 0.0
    for i in range(n):
        if i < n - 1:
            rise, width = curve[i + 1] - curve[i], x[i + 1] - x[i]
            segment = (1.0 + sign * 0.5 * (x[i] + x[i + 1])) * rise
            if segment < left:
                left -= segment
                continue
            density = rise / width
        elif beyond > 0.0:
            density = beyond
        else:
            return math.inf
        # sign d^2 / 2 + a d - r = 0 for the way d into this segment; this form of the root loses no digits.
        a, r = 1.0 + sign * x[i], left / density
        inside = a * a + 2.0 * sign * r
        if inside < 0.0 or a <= 0.0:
            return math.inf
        return float(curve[i] + density * (2.0 * r / (a + math.sqrt(inside))))
    return math.inf


def price_at(price: float, sign: int, drop: float) -> float | None:
    """The price a drop (UP: a rise) leads to; None where there is no such drop, or none above zero."""
    at = price * (1.0 + sign * drop)
    return at if 0.0 < at < math.inf else None


def cumulative(x: NDArray[np.float64], at: NDArray[np.float64], coins: NDArray[np.float64]) -> NDArray[np.float64]:
    """A curve on the grid from pieces: `coins` float64[k] standing at drops `at` float64[k], in any order.

    Pieces at or before 0 belong to the first segment, because a curve starts at 0; those beyond the grid are left out.
    """
    place = np.clip(np.searchsorted(x, at, side="left"), 1, None)
    inside = place < len(x)
    return np.cumsum(np.bincount(place[inside], weights=coins[inside], minlength=len(x)))


def common_grid(
    x_absorption: NDArray[np.float64],
    absorption: NDArray[np.float64],
    x_liquidations: NDArray[np.float64],
    liquidations: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(x, B, Lambda) of two curves with nodes of their own, on all nodes of both; nothing is lost."""
    x = np.union1d(x_absorption, x_liquidations)
    density = last_density(x_absorption, absorption)
    b = np.array([value_at(x_absorption, absorption, at, density) for at in x])
    forced = np.array([value_at(x_liquidations, liquidations, at, 0.0) for at in x])
    return x, b, forced
