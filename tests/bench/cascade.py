"""A made-up asset for the cascade solve: twelve venues that differ, liquidations in three heaps, noise at every node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from engines.liquidation import cascade, solve
from engines.liquidation.curves import DOWN, UP, drop_nodes
from engines.liquidation.solver import CascadeSolver, SolveSettings

VENUES: Final = 12
PRICE: Final = 70_000.0
# coins per unit of drop at the middle of the heap, where it is, how wide
HEAPS: Final = ((60_000.0, 0.012, 0.004), (190_000.0, 0.035, 0.006), (80_000.0, 0.08, 0.01))
# Marks half index, arbitrage that reaches its volume, jumps of the noise not counted: the long way through every part.
SETTINGS: Final = SolveSettings(noise_base=100.0, max_volume=300.0, index_weight=0.5, reference_base=300.0)


def two_sides(seed: int) -> tuple[Callable[[], None], str]:
    """(one solve of both sides, what it is). Raises AssertionError unless every scaling ignites and is worth its time."""
    rng = np.random.default_rng(seed)
    x = drop_nodes()
    width = np.diff(x, prepend=0.0)
    shares, sizes = rng.dirichlet(np.full(VENUES, 3.0)), rng.dirichlet(np.full(VENUES, 3.0))
    bids = 90_000.0 * (1 + 3 * np.exp(-x / 0.01))
    longs = sum((top * np.exp(-0.5 * ((x - at) / wide) ** 2) for top, at, wide in HEAPS), np.zeros_like(x))
    books = np.cumsum(rng.gamma(2.0, 0.5, (VENUES, len(x))) * bids * width * shares[:, None], axis=1)
    maps = np.cumsum(rng.gamma(0.5, 2.0, (VENUES, len(x))) * longs * width * sizes[:, None], axis=1)
    known = np.minimum(books, books[:, 1000:1001])
    solver = CascadeSolver(x)

    def run() -> None:
        for sign in (DOWN, UP):
            solver.side(sign, PRICE, books, known, maps, shares, shares, SETTINGS)

    found = solver.side(DOWN, PRICE, books, known, maps, shares, shares, SETTINGS).scales
    assert (found[:, cascade.IGNITIONS] > 0).all()
    assert (found[:, solve.ARB_ROUNDS] > 5).all()
    title = f"cascade solve: {VENUES} venues x {len(x):,} nodes x {len(solver.scales)} scalings, both sides, arbitrage"
    return run, title
