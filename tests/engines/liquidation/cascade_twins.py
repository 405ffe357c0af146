"""Models 4 written again, straight from the formulas, over Python lists; and curves to compare on."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

X = np.array([0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.10])
B = np.array([0.0, 400.0, 900.0, 1700.0, 2300.0, 3600.0, 6000.0, 8000.0])
L = np.array([0.0, 60.0, 250.0, 900.0, 2000.0, 3000.0, 3600.0, 3900.0])
P0 = 70_000.0
REL = 1e-6


@st.composite
def curve_pairs(draw: Any, *, solid: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(x, B, Lambda); `solid`: bids stand everywhere. Steps are whole numbers, so that plateaus and ties come up too."""
    n = draw(st.integers(2, 9))
    steps = draw(st.lists(st.integers(1, 40), min_size=n - 1, max_size=n - 1))
    bids = draw(st.lists(st.integers(1 if solid else 0, 60), min_size=n - 1, max_size=n - 1))
    forced = draw(st.lists(st.integers(0, 60), min_size=n - 1, max_size=n - 1))
    x = np.cumsum([0, *steps]) / 1000
    return x, np.cumsum([0.0, *bids]) * 10, np.cumsum([0.0, *forced]) * 10


def slope_at_end(x: Any, y: Any) -> float:
    return float((y[-1] - y[-2]) / (x[-1] - x[-2]))


def at(x: Any, y: Any, where: float, slope: float = 0.0) -> float:
    """Linear between nodes, `slope` after the last one."""
    if where >= x[-1]:
        return float(y[-1]) + (slope * (where - float(x[-1])) if slope else 0.0)
    return float(np.interp(where, x, y))


def first(x: Any, y: Any, target: float, slope: float = 0.0) -> float:
    """The first place where y reaches target."""
    if target <= y[0]:
        return float(x[0])
    for (x0, y0), (x1, y1) in zip(zip(x, y, strict=True), list(zip(x, y, strict=True))[1:], strict=False):
        if y0 < target <= y1:
            return float(x0 + (x1 - x0) * (target - y0) / (y1 - y0))
    return float(x[-1] + (target - y[-1]) / slope) if slope > 0 else math.inf


def iterate_sale(x: Any, b: Any, forced: Any, sale: float, rounds: int = 20_000) -> float:
    """x_{k+1} = B^-1(q + Lambda(x_k)), from below: the least fixed point, if it gets there."""
    slope, drop = slope_at_end(x, b), 0.0
    for _ in range(rounds):
        following = first(x, b, sale + at(x, forced, drop), slope)
        if following <= drop * (1 + 1e-15) or following == math.inf:
            return following
        drop = following
    return drop


def iterate_shock(x: Any, b: Any, forced: Any, shock: float, rounds: int = 20_000) -> float:
    slope, drop = slope_at_end(x, b), shock
    for _ in range(rounds):
        following = shock + first(x, b, at(x, forced, drop), slope)
        if following <= drop * (1 + 1e-15) or following == math.inf:
            return following
        drop = following
    return drop


def proceeds(x: Any, y: Any, start: float, end: float, slope: float, price: float, sign: int) -> float:
    """Midpoint sums over very small steps between all nodes."""
    if sign < 0:
        end = min(end, 1.0)
    if end <= start:
        return 0.0
    cuts = sorted({start, end, *(float(v) for v in x if start < v < end)})
    total = 0.0
    for low, high in itertools.pairwise(cuts):
        edges = np.linspace(low, high, 20)
        for u0, u1 in itertools.pairwise(edges):
            total += (1 + sign * (u0 + u1) / 2) * (at(x, y, u1, slope) - at(x, y, u0, slope))
    return price * total


def bisect(rising: Any, low: float, high: float) -> float:
    for _ in range(60):
        middle = (low + high) / 2
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def level(x: Any, books: list[Any], sales: list[float], band: float, most: float) -> tuple[list[float], float]:
    """(drops, volume) of models 4.2 for given sales, the band widened by bisection until the volume fits."""
    slopes = [slope_at_end(x, b) for b in books]
    own = [min(1.0, first(x, b, q, s)) for b, q, s in zip(books, sales, slopes, strict=True)]

    def inner(eps: float) -> tuple[float, float]:
        if max(own) - min(own) <= eps:
            return min(own), 0.0

        def excess(place: float) -> float:
            bought = sum(max(0.0, q - at(x, b, place + eps, s)) for q, b, s in zip(sales, books, slopes, strict=True))
            sold = sum(max(0.0, at(x, b, place, s) - q) for q, b, s in zip(sales, books, slopes, strict=True))
            return sold - bought

        place = bisect(excess, min(own), max(own) - eps)
        return place, sum(max(0.0, at(x, b, place, s) - q) for q, b, s in zip(sales, books, slopes, strict=True))

    place, volume = inner(band)
    if volume > most:
        band = bisect(lambda eps: most - inner(eps)[1], band, max(own) - min(own))
        place, volume = inner(band)
    if max(own) - min(own) <= band:
        return own, 0.0
    return [min(max(y, place), place + band) for y in own], volume
